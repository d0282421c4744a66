/**
 * Stores, releases and stores again until it is killed. Prints each receipt's shard, and each
 * release, once they are acknowledged: `+ index` and `- index` by the piece's number.
 * argv: directory, seed, how many pieces.
 */
import { writeSync } from "node:fs";
import { seededRandom } from "../../src/base/random.ts";
import { World } from "../contract/host.ts";
import { openHouseIn } from "./vault-house.ts";

const [directory, seed, count] = process.argv.slice(2) as [string, string, string];
const world = new World(seededRandom(seed));
const pieces = Array.from({ length: Number(count) }, () => world.segment());
const { vault } = await openHouseIn(directory, world.holder);
writeSync(1, "ready\n");
// Lives on until it is killed, or until whoever was to kill it is gone.
process.stdin.on("end", () => process.exit(1)).resume();

async function work(lane: number): Promise<void> {
  for (let at = lane; at < pieces.length; at += 4) {
    const piece = pieces[at];
    if (piece === undefined) return;
    await world.store(vault, piece);
    writeSync(1, `+ ${at}\n`);
    if (at % 3 !== 0) continue;
    // From here the release may or may not have happened.
    writeSync(1, `? ${at}\n`);
    await vault.release(world.owner, world.release(piece));
    writeSync(1, `- ${at}\n`);
  }
}

await Promise.all([0, 1, 2, 3].map(work));
writeSync(1, "done\n");
