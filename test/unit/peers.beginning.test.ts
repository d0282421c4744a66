/** A node that starts before the peers it is told of. */
import { setTimeout } from "node:timers/promises";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { Beginning } from "../../src/peers/acquaintance/beginning.ts";
import { openTestNode } from "../support/peer-nodes.ts";

test("while a node is alone, the addresses are tried ever more seldom", (t) => {
  let [nowMs, connections] = [0, 0];
  const tried: number[] = [];
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const connect = async (): Promise<void> => void tried.push(nowMs);
  const beginning = new Beginning({ clock, connections: () => connections, connect }, ["somewhere"]);
  const { redialMsMin, redialMsMax } = limits.peers;
  for (; nowMs < 3 * redialMsMax; nowMs += redialMsMin / 2) beginning.step();
  const pauses = tried.slice(1).map((atMs, at) => atMs - (tried[at] as number));
  t.equal(tried[0], 0);
  t.equal(pauses[0], redialMsMin);
  t.equal(Math.max(...pauses), redialMsMax);
  t.strictSame(pauses, pauses.toSorted((left, right) => left - right));

  connections = 1;
  for (let step = 0; step < 100; step++, nowMs += redialMsMax) beginning.step();
  t.equal(tried.length, pauses.length + 1, "who has company leaves them alone");

  connections = 0;
  beginning.step();
  nowMs += redialMsMin;
  beginning.step();
  t.equal(tried.length, pauses.length + 3, "who lost it begins anew");
  t.end();
});

test("a node finds the peer it was told of when that one starts later", async (t) => {
  const seed = sha256(Buffer.from("starts later"));
  const listen = `/ip4/${ownAddress()}/tcp/4001`;
  const bootstrap = [`${listen}/p2p/${peerKeysOf(seed).peer}`];
  await using early = await openTestNode({ bootstrap });
  await setTimeout(limits.peers.redialMsMin);
  t.equal(early.peers.peers().length, 0, "nobody is there");
  await using late = await openTestNode({ seed, listen: [listen] });
  const { signal } = new AbortController();
  const endMs = systemClock.monotonicMs() + 60_000;
  while (systemClock.monotonicMs() < endMs && !isMet(early.peers.peers())) {
    await early.peers.step.step(signal);
    await setTimeout(100);
  }
  t.ok(isMet(early.peers.peers()));
  t.equal(early.peers.peers()[0]?.offer.peer, late.keys.peer);
});

function isMet(known: readonly { readonly online: boolean }[]): boolean {
  return known.some(({ online }) => online);
}

/**
 * Of loopback, this process's own, with a port that the kernel gives to nobody: one that was free a
 * moment ago may be another's by the time that it is wanted.
 */
function ownAddress(): string {
  const { pid } = process;
  return `127.${100 + (pid >> 16)}.${(pid >> 8) & 255}.${1 + (pid & 127)}`;
}
