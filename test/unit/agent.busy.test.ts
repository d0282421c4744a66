/** A holder that is told to wait by its own load is neither dead nor a liar; for days, it is late. */
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { hourMs, openTended, pass, watch } from "../support/agent-turns.ts";
import { type World, makeWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.busy.test.ts`;

/** It has no room for any question about its shards from now on; how often it was asked. */
function overload({ network }: World, busy: PeerId): { count: number } {
  const asked = { count: 0 };
  const orBusy = <A extends readonly unknown[], R>(ask: (to: PeerId, ...told: A) => Promise<R>) => {
    return async (to: PeerId, ...told: A): Promise<R> => {
      if (to !== busy) return await ask(to, ...told);
      asked.count++;
      throw new HiveError("Busy", "peers.serve", "no room");
    };
  };
  network.prove = orBusy(network.prove.bind(network));
  network.read = orBusy(network.read.bind(network));
  return asked;
}

test("who is busy for days keeps its seats, and loses them when it never has time", async (t) => {
  const world = makeWorld(8, seed);
  const { transfer, agent, clock } = await openTended(world, { count: 3, bytesMax: 9_000 });
  await pass(agent, clock, 1);
  const [busy] = [...transfer.holders().keys()] as [PeerId];
  const asked = overload(world, busy);
  const livenessOf = () => agent.status().peers.find(({ peer }) => peer === busy)?.liveness;
  const { latesMax, lateEveryMs } = limits.proofs;
  for (let lates = 1; lates <= latesMax; lates++) {
    t.equal(transfer.health.groups()[0]?.epoch, 1, `${lates}: no seat is given away; ${replay}`);
    const before = asked.count;
    await watch(agent, clock, lateEveryMs / hourMs);
    t.ok(asked.count > before, "it is asked");
    t.equal(livenessOf(), "alive");
  }
  await pass(agent, clock, 1);
  t.notOk(transfer.holders().has(busy), replay);
});
