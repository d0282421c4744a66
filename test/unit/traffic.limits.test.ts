/**
 * What the user's orders come to: brakes, hours, metered links, and the ports through which all
 * bulk goes, in virtual time.
 */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Test, test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { PeerId, ShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { PeerNetwork, ShardHost } from "../../src/base/network.ts";
import { type TrafficOrders, noOrders } from "../../src/base/traffic.ts";
import { parseTimetable } from "../../src/cli/home/timetable.ts";
import { limitedHost } from "../../src/traffic/limited-host.ts";
import { limitedNetwork } from "../../src/traffic/limited-network.ts";
import { LinkStep, parseProperty, parseWords } from "../../src/traffic/link.ts";
import { Traffic } from "../../src/traffic/traffic.ts";
import { faultOf } from "../support/faults.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const [far, near, other] = ["far", "near", "other"].map((name) => loopbackKeys(name).peer) as [
  PeerId, PeerId, PeerId,
];
const shardId = "00".repeat(32) as ShardId;

function orders(told: Partial<TrafficOrders> & { up?: string; down?: string }): TrafficOrders {
  const { up = "unlimited", down = "unlimited", ...rest } = told;
  return { ...noOrders, upload: parseTimetable(up), download: parseTimetable(down), ...rest };
}

function open(t: Test, told: TrafficOrders, clock = new VirtualClock()) {
  const traffic = new Traffic({ clock, isNear: (peer) => peer === near }, told);
  t.teardown(() => traffic[Symbol.dispose]());
  return { traffic, clock };
}

/** Peers that answer at once, and what they were asked for. */
function network(clock: VirtualClock) {
  const reads: { readonly to: PeerId; readonly atMs: number }[] = [];
  const port: Pick<PeerNetwork, "self" | "read" | "store" | "prove"> = {
    self: far,
    async read(to, _shard, range, options) {
      options?.begun?.();
      reads.push({ to, atMs: clock.monotonicMs() });
      return Buffer.alloc(range.lengthBytes);
    },
    store: async () => ({}) as never,
    prove: async () => Buffer.from("proof"),
  };
  return { reads, port: port as PeerNetwork };
}

const range = (lengthBytes: number) => ({ offsetBytes: 0, lengthBytes });

test("reads keep to the limit, small ones and neighbours pass, and the wait is nobody's fault",
  async (t) => {
    const { traffic, clock } = open(t, orders({ down: "1 MiB/s" }));
    const { reads, port } = network(clock);
    const limited = limitedNetwork(port, traffic);
    const begun: number[] = [];
    const whole = Array.from({ length: 4 }, () => limited.read(far, shardId, range(MiB), {
      urgency: "background", begun: () => begun.push(clock.monotonicMs()),
    }));
    const small = limited.read(far, shardId, range(4 * KiB));
    const home = limited.read(near, shardId, range(MiB));
    await clock.pass(0);
    t.strictSame(reads.map(({ to }) => to), [far, near, far], "one shard, and what need not wait");
    await clock.pass(4_500);
    await Promise.all([...whole, small, home]);
    const seconds = begun.map((ms) => Math.round(ms / 100) / 10);
    t.strictSame(seconds, [0, 1, 2, 3], "their time begins when they are sent");
  });

test("it is known for a while that bulk went over the line, and whose it was", async (t) => {
  const { traffic, clock } = open(t, orders({}));
  const limited = limitedNetwork(network(clock).port, traffic);
  await limited.read(near, shardId, range(MiB));
  await limited.read(far, shardId, range(4 * KiB));
  await limited.read(far, shardId, range(MiB), { urgency: "background" });
  t.strictSame([traffic.isRead, traffic.isSent], [false, false], "none of these is a program's bulk");
  await limited.read(far, shardId, range(MiB), { urgency: "ahead" });
  t.ok(traffic.isRead);
  await clock.pass(limits.traffic.lineUsedMs);
  t.notOk(traffic.isRead);
  const told = { bytes: new Uint8Array() } as never;
  const parcel = { record: told, manifest: told, index: 0 };
  await limited.store(near, parcel, new Uint8Array(KiB));
  t.notOk(traffic.isSent, "what the local network carries");
  await limited.store(far, parcel, new Uint8Array(KiB));
  t.ok(traffic.isSent);
});

test("what a program reads at once keeps to a low limit, and is known to wait for it", async (t) => {
  for (const perSecond of [16, 64, 128]) {
    const { traffic, clock } = open(t, orders({ down: `${perSecond} KiB/s` }));
    const { reads, port } = network(clock);
    const limited = limitedNetwork(port, traffic);
    t.notOk(traffic.holdsReads);
    // Two windows of the kernel's read-ahead.
    const chunks = Array.from({ length: 8 }, () => limited.read(far, shardId, range(256 * KiB)));
    for (let second = 1; reads.length < chunks.length; second++) {
      await clock.pass(1_000);
      if (reads.length < chunks.length) t.ok(traffic.holdsReads, "it is not the peers");
      const most = second * perSecond + 2 * 256;
      t.ok(reads.length * 256 <= most, `${reads.length} chunks in ${second} s of ${perSecond} KiB`);
      if (second > 200) return t.fail("nothing comes any more");
    }
    await Promise.all(chunks);
    await clock.pass(limits.traffic.heldMs);
    t.notOk(traffic.holdsReads);
  }
});

test("a program waits for its turn no longer than it would be believed", async (t) => {
  const { traffic, clock } = open(t, orders({ down: "1 KiB/s" }));
  const { reads, port } = network(clock);
  const limited = limitedNetwork(port, traffic);
  const chunks = Array.from({ length: 3 }, () => limited.read(far, shardId, range(256 * KiB)));
  await clock.pass(limits.traffic.ownerWaitMsMax - 1);
  t.equal(reads.length, 1);
  await clock.pass(1);
  await Promise.all(chunks);
  const later = limited.read(far, shardId, range(256 * KiB), { urgency: "ahead" });
  await clock.pass(500_000);
  t.equal(reads.length, 3, "what went before its turn is paid for by others");
  await clock.pass(500_000);
  await later;
});

test("a call that is not wanted any more leaves the queue", async (t) => {
  const { traffic, clock } = open(t, orders({ down: "1 MiB/s" }));
  const { reads, port } = network(clock);
  const limited = limitedNetwork(port, traffic);
  const control = new AbortController();
  const background = { urgency: "background", signal: control.signal } as const;
  const wanted = Array.from({ length: 5 }, () => {
    return faultOf(limited.read(far, shardId, range(MiB), background));
  });
  await clock.pass(0);
  control.abort(new HiveError("Interrupted", "test", "no more"));
  t.strictSame((await Promise.all(wanted)).slice(1), Array(4).fill("Interrupted"));
  t.equal(traffic.down.waiting, 0);
  const next = limited.read(far, shardId, range(MiB), { urgency: "background" });
  await clock.pass(1_000);
  await next;
  t.equal(reads.length, 2, "and they cost nothing");
});

test("hours change while calls wait", async (t) => {
  const begin = new Date(2026, 10, 26, 21, 59, 30).getTime();
  const clock = new VirtualClock(begin);
  const { traffic } = open(t, orders({ down: "64 KiB/s, 22:00-23:00 unlimited" }), clock);
  const { reads, port } = network(clock);
  const limited = limitedNetwork(port, traffic);
  const all = Array.from({ length: 9 }, () => {
    return limited.read(far, shardId, range(MiB), { urgency: "background" });
  });
  await clock.pass(29_999);
  t.equal(reads.length, 2, "half a minute is two shards' time");
  await clock.pass(1);
  await Promise.all(all);
  t.equal(clock.now(), begin + 30_000, "at ten all of them go");
});

test("peers are served in turn, and told Busy before they lose patience", async (t) => {
  const { traffic, clock } = open(t, orders({ up: "1 MiB/s" }));
  const served: PeerId[] = [];
  const host = limitedHost({
    async read(from: { readonly peer: PeerId }) {
      served.push(from.peer);
      return Buffer.alloc(0);
    },
    prove: async () => Buffer.from("proof"),
  } as unknown as ShardHost, { traffic, clock });
  const ask = (peer: PeerId) => faultOf(host.read({ peer, owners: [] }, shardId, range(MiB)));
  const asked = [far, far, far, far, far, far, far, other].map(ask);
  const proof = await host.prove({ peer: other, owners: [] },
    { shard: shardId, nonce: Buffer.alloc(16), leaves: [0] });
  t.equal(proof.toString(), "proof", "a proof waits for nobody");
  await clock.pass(limits.traffic.guestReadMsMax + 1);
  t.strictSame(served, [far, far, other, far, far, far], "who asks for little is not behind");
  const faults = (await Promise.all(asked)).filter((kind) => kind === "Busy");
  t.equal(faults.length, 2);
});

test("a peer hears something of the shards that it brings before it gives us up", async (t) => {
  const { traffic, clock } = open(t, orders({ down: "64 KiB/s" }));
  const host = limitedHost({
    store: async () => Buffer.from("receipt"),
  } as unknown as ShardHost, { traffic, clock });
  const request = { record: Buffer.alloc(0), manifest: Buffer.alloc(0), index: 0 };
  const answers: { readonly atMs: number; readonly kind: unknown }[] = [];
  const bring = (peer: PeerId) => async () => {
    const kind = await faultOf(host.store({ peer, owners: [] }, request, Buffer.alloc(MiB)));
    answers.push({ atMs: clock.monotonicMs(), kind });
  };
  const brought = Array.from({ length: 8 }, bring(far));
  await clock.pass(120_000);
  await Promise.all(brought);
  const gaps = answers.slice(1).map(({ atMs }, at) => atMs - (answers[at]?.atMs ?? 0));
  t.ok(Math.max(...gaps) < limits.peers.callTimeoutMs, `${gaps} ms`);
  t.ok((answers.at(-1)?.atMs ?? 0) < limits.peers.callTotalMs);
  const taken = answers.filter(({ kind }) => kind === "none").length;
  t.ok(taken >= 4, `${taken} were taken: ${answers.map(({ kind }) => kind)}`);
  t.ok(answers.every(({ kind }) => kind === "none" || kind === "Busy"));
  const crowd = Array.from({ length: 40 }, bring(other));
  await clock.pass(0);
  t.ok(answers.length >= 8 + 7, "what would crowd out others is refused at once");
  await clock.pass(600_000);
  await Promise.all(crowd);
});

test("a pause holds what this node begins until its time, and says since when", async (t) => {
  const clock = new VirtualClock();
  const pause = { sinceMs: clock.now(), untilMs: clock.now() + 90_000 };
  const { traffic } = open(t, orders({}), clock);
  let released = 0;
  traffic.onRelease(() => released++);
  const { signal } = traffic.uploads;
  traffic.obey(orders({ pause }));
  t.ok(signal.aborted, "what is under way is called off");
  t.strictSame([traffic.uploads.isOn, traffic.healing.isOn], [true, true]);
  t.match(traffic.status().paused, {
    since: "2026-11-26T00:00:00.000Z", until: "2026-11-26T00:01:30.000Z", waitsFor: "hive resume",
  });
  await clock.pass(89_000);
  t.ok(traffic.uploads.isOn);
  await clock.pass(1_000);
  t.strictSame([traffic.uploads.isOn, traffic.uploads.signal.aborted, released], [false, false, 1]);
  t.equal(traffic.status().paused, null);
  traffic.obey(orders({ pause }));
  t.notOk(traffic.uploads.isOn, "over is over, also at a new start");
  traffic.obey(orders({ pause: { sinceMs: clock.now(), untilMs: null } }));
  await clock.pass(3_600_000);
  t.ok(traffic.uploads.isOn, "and without a time it lasts");
});

test("hours of nothing are a pause too, each direction for itself", async (t) => {
  const clock = new VirtualClock(new Date(2026, 10, 26, 7, 59).getTime());
  const { traffic } = open(t, orders({ up: "unlimited, 08:00-09:00 0" }), clock);
  t.notOk(traffic.uploads.isOn);
  await clock.pass(60_000);
  t.ok(traffic.uploads.isOn);
  t.equal(traffic.status().upload.isOpen, false);
  await clock.pass(3_600_000);
  t.notOk(traffic.uploads.isOn);
  traffic.obey(orders({ down: "0" }));
  t.strictSame([traffic.uploads.isOn, traffic.healing.isOn], [false, true], "repair must read");
});

test("nothing is read ahead that the line would not bring soon", (t) => {
  const { traffic } = open(t, orders({ down: "1 MiB/s" }));
  t.strictSame([MiB, 16 * MiB].map((bytes) => traffic.mayReadAhead(bytes)), [true, false]);
  traffic.obey(orders({}));
  t.ok(traffic.mayReadAhead(16 * MiB));
  t.end();
});

test("a metered link pauses, limits or does nothing, as the user says", (t) => {
  const { traffic } = open(t, orders({ up: "2 MiB/s" }));
  traffic.linkIs("yes");
  t.ok(traffic.uploads.isOn);
  t.match(traffic.status(), {
    paused: { waitsFor: "a link that is not metered" }, metered: "yes",
    upload: { isOpen: false, perSecond: 2 * MiB },
  });
  traffic.obey(orders({ up: "2 MiB/s", metered: 64 * KiB }));
  t.match(traffic.status(), {
    paused: null, upload: { perSecond: 64 * KiB }, download: { perSecond: 64 * KiB },
  });
  traffic.obey(orders({ up: "2 MiB/s", metered: "ignore" }));
  t.match(traffic.status(), { paused: null, upload: { perSecond: 2 * MiB } });
  traffic.obey(orders({ up: "2 MiB/s" }));
  traffic.linkIs("unknown");
  t.equal(traffic.status().paused, null, "what nobody knows pauses nothing");
  t.end();
});

test("the system's words for a metered link", (t) => {
  const told = ["u 0\n", "u 1\n", "u 2\n", "u 3\n", "u 4\n", "", "s x"].map(parseProperty);
  t.strictSame(told, ["unknown", "yes", "no", "yes", "no", "unknown", "unknown"]);
  const words = ["yes\n", "no (guessed)\n", "yes (guessed)\n", "unknown\n", ""].map(parseWords);
  t.strictSame(words, ["yes", "no", "yes", "unknown", "unknown"]);
  t.end();
});

test("the link is looked at by the programs of the system, where there are any", async (t) => {
  const bin = await mkdtemp(join(tmpdir(), "hive-bin-"));
  const path = process.env["PATH"];
  process.env["PATH"] = bin;
  t.teardown(async () => {
    process.env["PATH"] = path;
    await rm(bin, { recursive: true });
  });
  const { traffic, clock } = open(t, orders({}));
  const step = new LinkStep({ clock, log: silentLog, traffic });
  const look = async (): Promise<string> => {
    await step.step(new AbortController().signal);
    return traffic.status().metered;
  };
  const program = async (name: string, text: string): Promise<void> => {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  };
  t.equal(await look(), "unknown", "no program at all");
  await program("nmcli", 'test "$*" = "-t -f METERED general" && echo "no (guessed)"');
  t.equal(await look(), "unknown", "nobody asks again so soon");
  await clock.pass(limits.traffic.meteredRestMs);
  t.equal(await look(), "no");
  await program("busctl", 'test "$2" = get-property && echo "u 3"');
  await clock.pass(limits.traffic.meteredLookMs);
  t.equal(await look(), "yes", "D-Bus itself comes first");
  t.ok(traffic.uploads.isOn);
  await program("busctl", "exit 1");
  await clock.pass(limits.traffic.meteredLookMs);
  t.equal(await look(), "no", "and the other one when it fails");
  t.notOk(traffic.uploads.isOn);
});
