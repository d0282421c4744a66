/**
 * Homes behind routers: two peers that cannot reach each other exchange shards through a third, by
 * real nodes in network namespaces. What is relayed is limited. Skipped without root and ip(8).
 */
import { fileURLToPath } from "node:url";
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { isPublic, isToldPublic, reachOf } from "../../src/peers/libp2p/reach.ts";
import { isPlainAddress } from "../../src/peers/wire/invite.ts";
import { Internet, type Program, canMake } from "../support/namespaces.ts";
import { openTestNode } from "../support/peer-nodes.ts";

const program = fileURLToPath(new URL("../support/net-peer.ts", import.meta.url));
const skip = canMake() ? false : "needs root and ip";

test("a swarm on this machine has no relay, and a home has", (t) => {
  const local = { listen: ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"], upnp: true } as const;
  t.strictSame(reachOf({ ...local, relay: "on" }), { relayed: false, relays: "never", upnp: false });
  const home = { listen: ["/ip4/0.0.0.0/tcp/0"], upnp: true, relay: "auto" } as const;
  t.strictSame(reachOf(home), { relayed: true, relays: "reachable", upnp: true });
  t.equal(reachOf({ ...home, relay: "off" }).relays, "never");
  const cases = [
    ["/ip4/192.168.1.5/tcp/1", false], ["/ip4/10.1.1.1/tcp/1", false], ["/ip6/fd00::1/tcp/1", false],
    ["/ip4/8.8.8.8/tcp/1", true], ["/ip4/8.8.8.8/tcp/1/p2p/x/p2p-circuit", false],
    ["/ip6/2a00::1/tcp/1", true], ["/p2p-circuit", false],
  ] as const;
  for (const [address, wanted] of cases) t.equal(isPublic(address), wanted, address);
  const relay = "12D3KooWMy6b3GoD3PdYcq2AyErEVBFp8W1SqkP2hQHRKSa23DEP";
  t.ok(isPlainAddress(`/ip4/192.0.2.1/tcp/1/p2p/${relay}/p2p-circuit`));
  t.notOk(isPlainAddress(`/ip4/192.0.2.1/tcp/1/p2p/${relay}`));
  t.notOk(isPlainAddress(`/ip4/192.0.2.1/tcp/1/p2p/${relay}/p2p-circuit/p2p-circuit`));
  t.end();
});

test("of the addresses to listen at, a public one with its port is announced at once", (t) => {
  const cases = [
    ["/ip4/8.8.8.8/tcp/4001", true], ["/ip6/2a00::1/tcp/4001", true], ["/ip4/8.8.8.8/tcp/0", false],
    ["/ip4/0.0.0.0/tcp/4001", false], ["/ip6/::/tcp/4001", false], ["/ip4/10.0.0.1/tcp/4001", false],
    ["/ip4/127.0.0.1/tcp/4001", false],
  ] as const;
  for (const [address, wanted] of cases) t.equal(isToldPublic(address), wanted, address);
  t.end();
});

test("two homes exchange shards through a third machine, and no more than it allows", { skip },
  async (t) => {
    using internet = new Internet();
    const machines = {
      relay: internet.machine({ isHome: false }),
      ann: internet.machine({ isHome: true }),
      bob: internet.machine({ isHome: true }),
    };
    const start = (name: keyof typeof machines) => internet.run(machines[name], program, [
      machines[name].address, name === "relay" ? "on" : "off", name,
    ]);
    const [relay, ann, bob] = [start("relay"), start("ann"), start("bob")];
    const [atRelay, atAnn, atBob] = await Promise.all([relay.ask(), ann.ask(), bob.ask()]);
    const straight = await ann.ask({ act: "connect", to: atBob["address"] });
    t.equal(straight["fault"], "Unavailable", "ann cannot reach bob");
    t.equal((await bob.ask({ act: "connect", to: atAnn["address"] }))["fault"], "Unavailable");

    for (const one of [ann, bob]) {
      const met = await one.ask({ act: "connect", to: atRelay["address"] });
      t.equal(met["answer"], atRelay["peer"]);
    }
    const bobs = await until(bob, "addresses", (answer) => {
      return (answer as string[]).find((address) => address.includes("p2p-circuit"));
    });
    t.match(bobs, new RegExp(`^/ip4/${machines.relay.address}/tcp/4001/p2p/`));
    // She hears of him from the relay, as of anybody, and dials what he says of himself; each of
    // them tells and asks in his own time, a step after the other.
    await until(ann, "offers", (answer) => (answer as [string, string[]][]).find(([peer, addresses]) =>
      peer === atBob["peer"] && addresses.some((address) => address.includes("p2p-circuit"))), {
      async between() {
        await bob.ask({ act: "step" });
        await bob.ask({ act: "connect", to: atRelay["address"] });
        await ann.ask({ act: "connect", to: atRelay["address"] });
      },
    });
    const moved = await ann.ask({ act: "exchange", with: atBob["peer"], count: 8 });
    t.ok(Number(moved["answer"]) >= 4e6, `${JSON.stringify(moved)} bytes by way of the relay`);
    t.comment(`relay ${(await relay.ask({ act: "rss" }))["answer"]} MiB, ann ${
      (await ann.ask({ act: "rss" }))["answer"]} MiB`);

    const segments = Math.ceil(limits.relay.connectionBytesMax / 260 / 1024) + 8;
    const ended = await ann.ask({ act: "exchange", with: atBob["peer"], count: segments });
    t.type(ended["fault"], "string", "the relay ends a connection that carries too much");
    // Bob has to ask the relay for his place anew.
    const again = await until(ann, { act: "exchange", with: atBob["peer"], count: 1 }, (bytes) => {
      return Number(bytes) > 0 ? bytes : undefined;
    });
    t.ok(Number(again) > 0, `and a new one begins: ${again} bytes`);
  });

test("a node on this machine alone loads and asks nothing of a router", async (t) => {
  await using node = await openTestNode();
  t.notOk(node.peers.addresses().some((address) => address.includes("p2p-circuit")));
});

/** Asks until the answer has what is looked for; the machine may be busy. */
async function until<T>(
  of: Program, asked: string | Readonly<Record<string, unknown>>,
  find: (answer: unknown) => T | undefined,
  options: { between?: () => Promise<unknown> } = {},
): Promise<T> {
  for (let tries = 0; tries < 300; tries++) {
    const question = typeof asked === "string" ? { act: asked } : asked;
    const found = find((await of.ask(question))["answer"]);
    if (found !== undefined) return found;
    await options.between?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${JSON.stringify(asked)}: in vain`);
}
