/**
 * How well a lookup in our DHT does: hops, requests and time, with all peers there, with a third
 * of them gone without a word, and with a third that lie. Real libp2p nodes in one process.
 *
 *   node test/bench/dht.ts [NODES] [LOOKUPS] [SEED]
 */
import type { OwnerId } from "../../src/base/ids.ts";
import { headKey } from "../../src/peers/dht/dht-records.ts";
import { publishOffer, publishRecord, resolveHead, searchOffers } from "../../src/peers/dht/dht.ts";
import { DhtWorld, type Member, patiently } from "../support/dht-world.ts";

const [nodes = 60, lookups = 40] = process.argv.slice(2, 4).map(Number);
const seed = process.argv[4] ?? "1";

/** Peers that publish where they are: each takes some six lookups. */
const offersMax = 12;

interface Walk {
  readonly found: boolean;
  readonly ms: number;
  readonly hops: number;
  readonly requests: number;
}

/** One lookup by its events: how deep the peer lay that first told the newest record. */
async function walk(from: Member, owner: OwnerId, sequence: number): Promise<Walk> {
  const depths = new Map<string, number>();
  let requests = 0;
  let hops = 0;
  const startMs = performance.now();
  const signal = AbortSignal.timeout(10_000);
  let found = false;
  try {
    for await (const event of from.node.services.dht.get(headKey(owner), { signal })) {
      if (event.name === "SEND_QUERY") requests++;
      if (event.name !== "PEER_RESPONSE") continue;
      const depth = depths.get(event.from.toString()) ?? 1;
      for (const { id } of event.closer) {
        const name = id.toString();
        if (!depths.has(name)) depths.set(name, depth + 1);
      }
      if (event.record === undefined || found) continue;
      found = true;
      hops = depth;
    }
  } catch {
    // Judged below, by the very call that the node uses.
  }
  const ms = performance.now() - startMs;
  const head = await resolveHead(from.node, owner, undefined).catch(() => undefined);
  return { found: head?.sequence === sequence, ms, hops, requests };
}

async function measure(world: DhtWorld, owners: readonly OwnerId[], what: string): Promise<void> {
  const walks: Walk[] = [];
  for (let at = 0; at < lookups; at++) {
    const from = world.honest[world.random.below(world.honest.length)] as Member;
    walks.push(await walk(from, owners[at % owners.length] as OwnerId, 2));
  }
  const middle = (pick: (one: Walk) => number, share: number) => {
    const sorted = walks.map(pick).sort((left, right) => left - right);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number;
  };
  const found = walks.filter((one) => one.found).length;
  const mean = walks.reduce((sum, one) => sum + one.hops, 0) / walks.length;
  console.log([
    what.padEnd(26), `found ${found}/${walks.length}`,
    `hops ${mean.toFixed(2)} (p95 ${middle((one) => one.hops, 0.95)})`,
    `requests ${middle((one) => one.requests, 0.5)}`,
    `ms ${middle((one) => one.ms, 0.5).toFixed(0)} (p95 ${middle((one) => one.ms, 0.95).toFixed(0)})`,
  ].join("  "));
}

async function publishHeads(world: DhtWorld): Promise<readonly OwnerId[]> {
  const owners: OwnerId[] = [];
  for (let at = 0; at < 10; at++) {
    const drive = world.drive();
    for (const sequence of [1, 2]) {
      const from = world.honest[world.random.below(world.honest.length)] as Member;
      const head = world.head(drive, sequence);
      await patiently(() => publishRecord(from.node, head, undefined));
    }
    owners.push(drive.owner);
  }
  return owners;
}

function memory(): string {
  return `${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`;
}

{
  const startMs = performance.now();
  await using world = await DhtWorld.open({ honest: nodes, seed });
  console.log(`${nodes} nodes in ${((performance.now() - startMs) / 1000).toFixed(1)} s, ${memory()}`);
  const owners = await publishHeads(world);
  await measure(world, owners, "all there");
  await world.kill(world.members.slice(0, Math.floor(nodes / 3)));
  await measure(world, owners, "a third killed");
  await measure(world, owners, "the same, a moment later");
  const places = ["CH", "DE", "FR", "JP"];
  for (const [at, { node, keys }] of world.members.slice(-offersMax).entries()) {
    const offer = world.offer(keys, places[at % places.length]);
    await patiently(() => publishOffer(node, offer, undefined));
  }
  const from = world.honest[1] as Member;
  for (const country of [undefined, "CH"]) {
    const startMs = performance.now();
    const told = await searchOffers(from.node, world.random, { country, count: 2 * nodes });
    const ms = performance.now() - startMs;
    console.log(`offers of ${country ?? "anywhere"}: ${told.length} in ${ms.toFixed(0)} ms`);
  }
}
{
  const liars = Math.floor(nodes / 3);
  await using world = await DhtWorld.open({ honest: nodes - liars, liars, seed });
  const owners = await publishHeads(world);
  await measure(world, owners, "a third lie or are silent");
}
process.exit(0);
