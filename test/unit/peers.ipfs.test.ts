/**
 * Helia over a node: the drive's blocks through the functions handed in, UnixFS in its own store.
 */
import { randomBytes } from "node:crypto";
import { unixfs } from "@helia/unixfs";
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import { type Cid, cidOf } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { DriveBlocks } from "../../src/peers/peers.ts";
import { faultOf } from "../support/faults.ts";
import { openTestNode } from "../support/peer-nodes.ts";

function blocksIn(map: Map<Cid, Uint8Array>): DriveBlocks {
  return {
    get: async (cid) => map.get(cid),
    has: async (cid) => map.has(cid),
    put: async (cid, bytes) => void map.set(cid, bytes),
  };
}

test("a block that is absent here is fetched from the peers and kept", async (t) => {
  const sealed = randomBytes(5000);
  const local = new Map<Cid, Uint8Array>();
  const asked: Cid[] = [];
  const fetcher = {
    fetch: async (cid: Cid) => {
      asked.push(cid);
      if (cid === cidOf(sealed)) return sealed;
      throw new HiveError("Unavailable", "test.fetch", cid);
    },
  };
  await using node = await openTestNode({ more: { blocks: blocksIn(local), fetcher } });
  const ipfs = await node.peers.ipfs();
  t.ok(sealed.equals(await ipfs.block(cidOf(sealed))));
  t.ok(sealed.equals(await ipfs.block(cidOf(sealed))));
  t.strictSame(asked, [cidOf(sealed)], "asked for once");
  t.ok(local.has(cidOf(sealed)));
  const nowhere = ipfs.block(cidOf(Buffer.from("nobody has it")));
  t.equal(await faultOf(nowhere), "Unavailable");
});

test("a file goes in as UnixFS and comes out of its CID", async (t) => {
  const local = new Map<Cid, Uint8Array>();
  await using node = await openTestNode({ more: { blocks: blocksIn(local) } });
  const files = unixfs((await node.peers.ipfs()).helia);
  const file = randomBytes(3_000_000);
  const cid = await files.addBytes(file);
  t.match(cid.toString(), /^bafybei/);
  const parts: Uint8Array[] = [];
  for await (const part of files.cat(cid)) parts.push(part);
  t.ok(file.equals(Buffer.concat(parts)));
  t.ok(local.size >= 2, "its raw leaves lie with the drive's blocks");
});

test("without a drive all public blocks lie in the node's own books", async (t) => {
  await using node = await openTestNode();
  const files = unixfs((await node.peers.ipfs()).helia);
  const cid = await files.addBytes(randomBytes(600_000));
  let bytes = 0;
  for await (const [, value] of node.books.list("ipfs/")) bytes += value.length;
  t.ok(bytes >= 600_000 && bytes < limits.peers.publicBytesMax);
  let length = 0;
  for await (const part of files.cat(cid)) length += part.length;
  t.equal(length, 600_000);
});
