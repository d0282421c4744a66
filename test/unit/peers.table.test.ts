/** Whoever has many names in one part of the internet fills little of a node's routing table. */
import type { PeerId } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { dhtPart } from "../../src/peers/dht/dht-part.ts";
import { farPrefixOf } from "../../src/peers/libp2p/table.ts";
import { type BareNode, openBareNode } from "../support/bare-node.ts";

const { tablePerPrefixMax } = limits.dht;
const patience = { timeout: 120_000 };

interface Table {
  find(peer: PeerId): Promise<PeerId | undefined>;
  remove(peer: PeerId): Promise<void>;
}

test("few peers of one prefix stay in the table, and others take their places", patience, async (t) => {
  await using stack = new AsyncDisposableStack();
  const prefixes = new Map<string, string>();
  const prefixOf = (address: string) => prefixes.get(address.split("/")[4] ?? "");
  const dht = { ...dhtPart(systemClock, () => true), prefixOf };
  const { node } = stack.use(await openBareNode({ dht }));
  const { routingTable } = node.services.dht as unknown as { readonly routingTable: Table };
  const join = async (prefix: string): Promise<BareNode> => {
    const one = stack.use(await openBareNode());
    prefixes.set(one.address.split("/")[4] as string, prefix);
    await node.dial(multiaddr(one.address));
    return one;
  };
  const crowd: BareNode[] = [];
  for (let at = 0; at < 2 * tablePerPrefixMax; at++) crowd.push(await join("203.0.112.0/24"));
  const others = [await join("198.51.99.0/24"), await join("192.0.1.0/24")];
  const inTable = async (ones: readonly BareNode[]): Promise<readonly BareNode[]> => {
    const found = await Promise.all(ones.map((one) => routingTable.find(one.node.peerId)));
    return ones.filter((_, at) => found[at] !== undefined);
  };
  while ((await inTable(others)).length < 2) await soon();
  while ((await inTable(crowd)).length !== tablePerPrefixMax) await soon();

  const [first] = await inTable(crowd);
  await routingTable.remove(first?.node.peerId as PeerId);
  t.equal((await inTable(crowd)).length, tablePerPrefixMax - 1);
  const late = await join("203.0.112.0/24");
  while ((await inTable([late])).length === 0) await soon();
  t.equal((await inTable([...crowd, late])).length, tablePerPrefixMax);
  t.equal((await inTable(others)).length, 2);
});

test("counted are networks far from here, by what they are part of", (t) => {
  t.equal(farPrefixOf("/ip4/203.0.112.7/tcp/1"), "203.0.112.0/24");
  t.equal(farPrefixOf("/ip6/2a02:1:2:3::4/tcp/1"), "2a02:1:2::/48");
  for (const near of ["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.9/tcp/1", "/dns4/example.org/tcp/1"]) {
    t.equal(farPrefixOf(near), undefined, near);
  }
  t.end();
});

const soon = (): Promise<void> => new Promise((later) => setTimeout(later, 20));
