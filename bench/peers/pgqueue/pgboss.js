// pg-boss: what is done stays in its table, as it does by default; no maintenance meanwhile.
const {createRequire} = require('module');
const path = `${process.env.MUSHER_BENCH_NPM}/pgqueue/node_modules/`;
const load = createRequire(path);
const {PgBoss} = load('pg-boss');
const {Pool} = load('pg');

const [mode, ...words] = process.argv.slice(2);
const set = Object.fromEntries(words.map((word) => word.split('=')));
const queue = 'bench';

const server = {host: set.host, port: Number(set.port), user: 'app', database: set.database};

async function open() {
    const boss = new PgBoss({...server, supervise: false, schedule: false});
    boss.on('error', (error) => { throw error; });
    await boss.start();
    return boss;
}

async function fill() {
    const boss = await open();
    await boss.createQueue(queue);
    const data = {data: 'x'.repeat(200 - 11)};
    for (let left = Number(set.rows); left > 0; left -= 1000) {
        await boss.insert(queue, Array.from({length: Math.min(left, 1000)}, () => ({data})));
    }
    await new Pool(server).query('VACUUM ANALYZE');
    process.exit(0);
}

async function drain() {
    const boss = await open();
    const batchSize = Number(set.batch);
    let done = 0;
    const began = process.hrtime.bigint();
    for (;;) {
        const jobs = await boss.fetch(queue, {batchSize});
        if (jobs.length === 0) break;
        await boss.complete(queue, jobs.map((job) => job.id));
        done += jobs.length;
        if (done === Number(set.rows)) break;
    }
    const took = Number(process.hrtime.bigint() - began) / 1e9;
    if (done !== Number(set.rows)) throw new Error(`${done} of ${set.rows} jobs`);
    console.log(JSON.stringify({per_s: done / took}));
    process.exit(0);
}

if (mode === 'version') {
    console.log(`pg-boss ${require(`${path}pg-boss/package.json`).version}, ` +
                `Node ${process.versions.node}`);
} else {
    const work = mode === 'fill' ? fill : drain;
    work().catch((error) => {
        console.error(error.message);
        process.exit(1);
    });
}
