// BullMQ: finished jobs are removed; 100 at a time; the lock is as long as `lease_ms`.
const path = `${process.env.MUSHER_BENCH_NPM}/queue/node_modules`;
const {Queue, Worker} = require(`${path}/bullmq`);
const Redis = require(`${path}/ioredis`);

const [mode, socket, ...rest] = process.argv.slice(2);
const set = {jobs: 1000, rate: 50, lease_ms: 30000};
for (const word of rest) set[word.split('=')[0]] = Number(word.split('=')[1]);
const connection = () => new Redis({path: socket, maxRetriesPerRequest: null});
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const say = (result) => console.log(JSON.stringify(result));

function payload() {
    const at = nowMs().toFixed(3);
    return {at, data: 'x'.repeat(200 - 19 - at.length)};
}

async function fill() {
    const queue = new Queue('bench', {connection: connection()});
    const began = nowMs();
    let left = set.jobs;
    const put = async () => {
        while (left > 0) {
            const n = Math.min(left, 1000);
            left -= n;
            await queue.addBulk(Array.from({length: n}, () => ({
                name: 'bench', data: payload(), opts: {removeOnComplete: true},
            })));
        }
    };
    await Promise.all([put(), put(), put(), put()]);
    say({per_s: set.jobs / ((nowMs() - began) / 1000)});
    process.exit(0);
}

async function produce() {
    const queue = new Queue('bench', {connection: connection()});
    await queue.waitUntilReady();
    const began = nowMs();
    for (let i = 0; i < set.jobs; ++i) {
        const wait = began + i * 1000 / set.rate - nowMs();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        await queue.add('bench', payload(), {removeOnComplete: true});
    }
    process.exit(0);
}

async function work() {
    const began = nowMs();
    const waits = [];
    const worker = new Worker('bench', async (job) => {
        waits.push(nowMs() - Number(job.data.at));
        if (waits.length === set.jobs) {
            if (mode === 'hold') console.log(`holding ${waits.length}`);
            else finish();
        }
        if (mode === 'hold') await new Promise(() => setInterval(() => {}, 1000));
    }, {connection: connection(), concurrency: 100, lockDuration: set.lease_ms,
        stalledInterval: set.lease_ms});
    function finish() {
        const warm = waits.slice(Math.floor(waits.length / 10)).sort((a, b) => a - b);
        const at = (share) => warm[Math.floor(share * (warm.length - 1))];
        say({per_s: waits.length / ((nowMs() - began) / 1000), p50_ms: at(0.5), p99_ms: at(0.99)});
        process.exit(0);
    }
    await worker.waitUntilReady();
    if (mode === 'consume') console.log('ready');
}

if (mode === 'version') {
    console.log(`BullMQ ${require(`${path}/bullmq/package.json`).version}, Node ${process.versions.node}`);
} else if (mode === 'fill') {
    fill();
} else if (mode === 'produce') {
    produce();
} else {
    work();
}
