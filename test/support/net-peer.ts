/**
 * One peer of a made-up internet: a real node with a memory host, told what to do by a line of
 * JSON each. Words: the address to listen on, "on" or "off" for being a relay, a name, and perhaps
 * a network key in hex.
 */
import { createInterface } from "node:readline";
import { isFault } from "../../src/base/errors.ts";
import type { PeerId, ShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { TestDrive, openTestNode } from "./peer-nodes.ts";

const [address = "", relay = "off", name = "peer"] = process.argv.slice(2);
const drive = new TestDrive("net");
const seed = Buffer.alloc(32, name);
const node = await openTestNode({
  seed,
  listen: [`/ip4/${address}/tcp/4001`],
  relay: relay === "on" ? "on" : "off",
  // All of them act for the one drive: who may ask for what is shown elsewhere.
  certificates: (keys) => [drive.certificate(keys.peer)],
});
const { peers } = node;

const acts: Readonly<Record<string, (told: Record<string, unknown>) => Promise<unknown>>> = {
  connect: async ({ to }) => peers.connect(String(to)),
  addresses: async () => peers.addresses(),
  step: async () => peers.step.step(new AbortController().signal),
  online: async () => peers.peers().filter((peer) => peer.online).map(({ offer }) => offer.peer),
  offers: async () => peers.peers().map(({ offer }) => [offer.peer, offer.addresses]),
  rss: async () => Math.round(process.memoryUsage().rss / 2 ** 20),
  /** Shards to a peer and back again, so many bytes in all. */
  exchange: async ({ with: other, count }) => {
    const to = String(other) as PeerId;
    const manifest = drive.manifest([to]);
    let bytes = 0;
    for (let at = 0; at < Number(count); at++) {
      const { record, shards } = drive.segment({ shardBytes: limits.segment.shardBytes[1] });
      const shard = shards[0] as Buffer;
      const id = record.roots[0] as ShardId;
      await peers.store(to, { record, manifest, index: 0 }, Buffer.from(shard));
      const range = { offsetBytes: 0, lengthBytes: shard.length };
      const back = await peers.read(to, id, range);
      if (!shard.equals(back)) throw new Error("other bytes came back");
      bytes += 2 * shard.length;
    }
    return bytes;
  },
};

process.stdout.write(`${JSON.stringify({ peer: peerKeysOf(seed).peer, address: node.address })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line) as Record<string, unknown>;
  try {
    const answer = await acts[String(told["act"])]?.(told);
    process.stdout.write(`${JSON.stringify({ answer })}\n`);
  } catch (error) {
    const fault = isFault(error) ? error.kind : String(error);
    process.stdout.write(`${JSON.stringify({ fault })}\n`);
  }
}
