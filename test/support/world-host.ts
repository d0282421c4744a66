/**
 * The peers of one town of a made-up world (world-plan.ts), in one process: real nodes that dial
 * from their own addresses and answer range questions as late as the way asks. A drill starts it in
 * the town's namespace: `node world-host.ts PLAN.json TOWN`. It says `ready`, and `met` when it
 * knows everybody; then a line of JSON on its input, a dweller, tells that this one moved, and is
 * answered `moved`. It ends with its input.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import type { PeerId } from "../../src/base/ids.ts";
import { lineLog } from "../../src/base/log.ts";
import type { NodeDuties } from "../../src/base/node.ts";
import { openNode } from "../../src/node/node.ts";
import { type Dweller, type Plan, addressOf, listenOf, wayMs } from "./world-plan.ts";

const GiB = 2 ** 30;
const dayMs = 86_400_000;

const [planFile = "", townText = ""] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, "utf8")) as Plan;
const town = Number(townText);
const people = new Map<PeerId, Dweller>(plan.dwellers.map((one) => [one.peer, one]));
const nodes = new Map<number, NodeDuties>();
const log = lineLog({ level: "warn", write: (line) => void process.stderr.write(line) });

for (const dweller of plan.dwellers) if (dweller.town === town) await open(dweller);
say("ready");
while (!(await isAmongAll())) await setTimeout(1000);
say("met");
for await (const line of createInterface({ input: process.stdin })) {
  const dweller = JSON.parse(line) as Dweller;
  people.set(dweller.peer, dweller);
  if (dweller.town === town) {
    await nodes.get(dweller.number)?.close();
    await open(dweller);
  }
  say("moved");
}
await Promise.all([...nodes.values()].map((node) => node.close()));
process.exit(0);

async function open(dweller: Dweller): Promise<void> {
  const { number, peer, seedHex, household, claims, address } = dweller;
  const world = {
    dialsFrom: address,
    // Who is not on the plan is the owner, at home.
    delayMs: (other: PeerId) => {
      return wayMs((people.get(peer) ?? dweller).at, (people.get(other) ?? plan.home).at);
    },
  };
  nodes.set(number, await openNode({ log, world }, {
    directory: join(plan.directory, `peer-${number}`),
    peerSeed: Buffer.from(seedHex, "hex"),
    driveSeed: undefined,
    deviceName: `peer ${number}`,
    listen: [listenOf(dweller)],
    bootstrap: plan.dwellers.filter((one) => one.number % 9 === 1 && one.number !== number)
      .slice(0, 4).map(addressOf),
    household, country: claims, mdns: false, relay: "off", upnp: false,
    quotaBytes: 20 * GiB, strangerShare: 1, deadAfterMs: dayMs, auditIntervalMs: dayMs,
  }));
}

/** Whether each of them has heard of all others. */
async function isAmongAll(): Promise<boolean> {
  const states = await Promise.all([...nodes.values()].map((node) => node.status()));
  return states.every(({ peers }) => peers.known >= plan.dwellers.length - 1);
}

function say(word: string): void {
  process.stdout.write(`${word}\n`);
}
