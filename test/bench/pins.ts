/**
 * What a look over all that is pinned costs: `node test/bench/pins.ts [FOLDERS FILES BYTES]`. A
 * tree over a real store, its root pinned; how long a judgement takes, and the longest turn of the
 * loop.
 */
import { GiB } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { temporaryCache } from "../support/temporary-cache.ts";
import { nobody } from "../support/walk.ts";

const [folders = 200, files = 500, bytes = 3000] = process.argv.slice(2).map(Number);
const flags = { read: true, write: true, append: false, truncate: false, exclusive: true };
const treeSecret = Buffer.alloc(32, 3);

async function fill(tree: Tree): Promise<void> {
  const content = Buffer.alloc(bytes, 1);
  for (let folder = 0; folder < folders; folder++) {
    const at = { parent: rootIno, name: parseName(`folder ${folder}`) };
    const { ino: parent } = await tree.mkdir(nobody, at, { mode: 0o755 });
    for (let file = 0; file < files; file++) {
      content.writeUInt32LE(folder * files + file);
      const place = { parent, name: parseName(`file ${file}`) };
      const { attributes, handle } = await tree.create(nobody, place, { mode: 0o644 }, flags);
      await tree.write(handle, 0, content);
      await tree.release(handle);
      tree.forget(attributes.ino, 1);
    }
  }
  await tree.commit();
}

await using cache = await temporaryCache({ limitBytes: 16 * GiB });
const pins = { store: cache.store.pins, mayKeep: async () => true };
const needs = { store: cache.store, clock: systemClock, random: systemRandom, log: silentLog, pins };
const tree = await openTree(needs, { treeSecret });
await fill(tree);
for (let round = 0; round < 3; round++) {
  await tree.pins?.set([], true);
  const startMs = performance.now();
  const before = process.cpuUsage();
  let longestMs = 0;
  let lastMs = startMs;
  const timer = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs - 1);
    lastMs = performance.now();
  }, 1);
  await tree.pins?.step().step(new AbortController().signal);
  clearInterval(timer);
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({
    files: tree.pins?.status()?.files, tookMs: Math.round(performance.now() - startMs),
    processorMs: Math.round((user + system) / 1000), longestTurnMs: Math.round(longestMs),
  }));
}
await tree.close();
