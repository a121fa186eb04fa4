// Graphile Worker: what is done is deleted, as it always does.
const {createRequire} = require('module');
const path = `${process.env.MUSHER_BENCH_NPM}/pgqueue/node_modules/`;
const load = createRequire(path);
const {run, makeWorkerUtils, Logger} = load('graphile-worker');
const {Pool} = load('pg');

const [mode, ...words] = process.argv.slice(2);
const set = Object.fromEntries(words.map((word) => word.split('=')));
const logger = new Logger(() => (level, message) => {
    if (level === 'error') console.error(message);
});

function connect() {
    const pool = new Pool({host: set.host, port: Number(set.port), user: 'app',
                           database: set.database, max: 25});
    pool.on('error', (error) => { throw error; });
    pool.on('connect', (client) => client.on('error', (error) => { throw error; }));
    return pool;
}

async function fill() {
    const pgPool = connect();
    const utils = await makeWorkerUtils({pgPool, logger});
    await utils.migrate();
    // add_job() for each row reads the whole table each time, when its plan was made while that was
    // empty.
    const spec = "ROW('bench', json_build_object('data', repeat('x', 189)), NULL, NULL, NULL, " +
                 'NULL, NULL, NULL)::graphile_worker.job_spec';
    const sql = `SELECT count(*) FROM graphile_worker.add_jobs((SELECT array_agg(${spec}) ` +
                'FROM generate_series(1, $1::int)))';
    await pgPool.query(sql, [Number(set.rows)]);
    await pgPool.query('VACUUM ANALYZE');
    process.exit(0);
}

async function drain() {
    const rows = Number(set.rows);
    const batch = Number(set.batch);
    const many = {concurrentJobs: 24, maxPoolSize: 25, localQueue: {size: batch},
                  completeJobBatchDelay: 0, failJobBatchDelay: 0};
    let seen = 0;
    let began;
    let finish;
    const all = new Promise((resolve) => { finish = resolve; });
    const bench = async () => {
        if (++seen === rows) finish();
    };
    const pgPool = connect();
    await pgPool.query('SELECT 1');
    began = process.hrtime.bigint();
    const runner = await run({pgPool, logger, taskList: {bench}, noHandleSignals: true,
                              preset: {worker: batch > 1 ? many : {concurrentJobs: 1}}});
    await all;
    await runner.stop();
    const left = 'SELECT EXISTS (SELECT FROM graphile_worker.jobs) AS some';
    while ((await pgPool.query(left)).rows[0].some);  // the last completions are on their way
    const took = Number(process.hrtime.bigint() - began) / 1e9;
    console.log(JSON.stringify({per_s: rows / took}));
    process.exit(0);
}

if (mode === 'version') {
    console.log(`Graphile Worker ${require(`${path}graphile-worker/package.json`).version}, ` +
                `Node ${process.versions.node}`);
} else {
    const work = mode === 'fill' ? fill : drain;
    work().catch((error) => {
        console.error(error.message);
        process.exit(1);
    });
}
