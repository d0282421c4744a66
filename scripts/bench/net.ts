/**
 * How quick the network is on this machine: two processes over loopback, a plain Node TCP socket
 * beside our protocol over Noise and over TLS, in one run; then what an idle node weighs.
 *
 *   node scripts/bench/net.ts [--json]
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { KiB, MiB } from "../../src/base/bytes.ts";
import type { PeerId, ShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { ShardHost } from "../../src/base/network.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { parseSegmentRecord, signReceipt } from "../../src/crypt/records/records.ts";
import { TestDrive, type TestNode, openTestNode } from "../../test/support/peer-nodes.ts";

export interface NetFigures {
  readonly plain: { readonly sendMBs: number; readonly receiveMBs: number };
  readonly noise: ProtocolFigures;
  readonly tls: ProtocolFigures;
  readonly node: { readonly count: number; readonly memoryMiB: number; readonly idleCpu: number };
}

export interface ProtocolFigures {
  readonly storeMBs: number;
  readonly readMBs: number;
  /** Processor seconds of both ends for 1 GB stored: what a busy machine does not blur. */
  readonly cpuSecondsPerGB: number;
  /** 4 KiB each, 32 under way. */
  readonly smallReads: number;
  /** One at a time: the latency of a first byte. */
  readonly roundTripMs: number;
}

const self = fileURLToPath(import.meta.url);
const shardBytes = limits.segment.shardBytes[2];
const anyShard = "ab".repeat(32) as ShardId;

/** The best of several turns, taken one after the other, since a busy machine only slows. */
export async function benchNet(options: { seconds?: number; turns?: number; nodes?: number } = {}) {
  const { seconds = 1, turns = 4, nodes = 12 } = options;
  const plain = await startChild<number>("plain");
  await using noise = await openPair("noise");
  await using tls = await openPair("tls");
  const best: Record<"plain" | "noise" | "tls", Record<string, number>> = {
    plain: {}, noise: {}, tls: {},
  };
  for (let turn = 0; turn < turns; turn++) {
    keepBest(best.plain, await benchPlain(plain.answer, seconds));
    keepBest(best.noise, await benchProtocol(noise, seconds));
    keepBest(best.tls, await benchProtocol(tls, seconds));
  }
  plain.child.kill();
  const node = await askChild<NetFigures["node"]>("swarm", String(nodes));
  return { ...best, node } as unknown as NetFigures;
}

function keepBest(best: Record<string, number>, turn: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(turn)) {
    const known = best[name] ?? value;
    best[name] = /Ms$|^cpu/.test(name) ? Math.min(known, value) : Math.max(known, value);
  }
}

async function benchPlain(port: number, seconds: number) {
  const piece = Buffer.alloc(256 * KiB, 7);
  const rate = async (first: number) => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(Buffer.from([first]));
    const count = first === 0 ? await pour(socket, piece, seconds) : await drink(socket, seconds);
    socket.destroy();
    return round(count / seconds / 1e6);
  };
  return { sendMBs: await rate(0), receiveMBs: await rate(1) };
}

interface Pair extends AsyncDisposable {
  readonly node: TestNode;
  readonly holder: PeerId;
  readonly drive: TestDrive;
  readonly pid: number;
}

async function openPair(encryption: "noise" | "tls"): Promise<Pair> {
  const { child, answer: address } = await startChild<string>("holder", encryption);
  const drive = new TestDrive("bench");
  const node = await openTestNode({
    encryption, certificates: (keys) => [drive.certificate(keys.peer)],
  });
  const holder = await node.peers.connect(address);
  const close = async () => {
    await node[Symbol.asyncDispose]();
    child.kill();
  };
  return { node, holder, drive, pid: child.pid ?? 0, [Symbol.asyncDispose]: close };
}

async function benchProtocol({ node, holder, drive, pid }: Pair, seconds: number) {
  const manifest = drive.manifest([holder]);
  const { record, shards } = drive.segment({ shardBytes });
  const shard = shards[0] as Buffer;
  const store = () => node.peers.store(holder, { record, manifest, index: 0 }, shard);
  const read = (lengthBytes: number) => () => {
    return node.peers.read(holder, anyShard, { offsetBytes: 0, lengthBytes });
  };
  // As whoever reads ahead does it: in rooms that are used again.
  const rooms: Buffer[] = [];
  const readShard = async () => {
    const into = rooms.pop() ?? Buffer.allocUnsafeSlow(shardBytes);
    const range = { offsetBytes: 0, lengthBytes: shardBytes };
    await node.peers.read(holder, anyShard, range, { into });
    rooms.push(into);
  };
  // What a process does for the first time is compiled first, which takes longer than the turn.
  await perSecond(16, seconds / 2, store);
  await perSecond(16, seconds / 2, readShard);
  const cpuBefore = cpuSeconds(pid);
  const stores = await perSecond(16, seconds, store);
  const cpu = cpuSeconds(pid) - cpuBefore;
  return {
    storeMBs: round(stores * shardBytes / 1e6),
    cpuSecondsPerGB: round(cpu / (stores * seconds * shardBytes / 1e9)),
    readMBs: round((await perSecond(16, seconds, readShard)) * shardBytes / 1e6),
    smallReads: round(await perSecond(32, seconds, read(4 * KiB))),
    roundTripMs: round(1e3 / (await perSecond(1, seconds, read(1)))),
  };
}

async function perSecond(underway: number, seconds: number, act: () => Promise<unknown>) {
  const start = performance.now();
  const endMs = start + seconds * 1e3;
  let done = 0;
  await Promise.all(Array.from({ length: underway }, async () => {
    while (performance.now() < endMs) {
      await act();
      done++;
    }
  }));
  return done / ((performance.now() - start) / 1e3);
}

/** Of this process and that one (Linux: clock ticks of 10 ms). */
function cpuSeconds(pid: number): number {
  const { user, system } = process.cpuUsage();
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return (user + system) / 1e6 + (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The other processes, by name. */
const roles: Readonly<Record<string, (argument: string) => Promise<unknown>>> = {
  async plain() {
    const piece = Buffer.alloc(256 * KiB, 7);
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", (data) => {
        if (data[0] === 1) void pour(socket, piece, 3600);
        else socket.resume();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  },
  async holder(encryption) {
    const node = await openTestNode({ encryption: encryption as "noise" | "tls", host: quickHost });
    return node.address;
  },
  async swarm(count) {
    const nodes: TestNode[] = [await openTestNode()];
    global.gc?.();
    const before = process.memoryUsage().rss;
    const first = nodes[0] as TestNode;
    for (let i = 0; i < Number(count); i++) {
      const node = await openTestNode();
      await node.peers.connect(first.address);
      nodes.push(node);
    }
    const steps = async () => {
      for (const node of nodes) await node.peers.step.step(new AbortController().signal);
    };
    for (let i = 0; i < 10; i++) await steps();
    const cpu = process.cpuUsage();
    const idleSeconds = 10;
    await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1e3));
    const spent = process.cpuUsage(cpu);
    const idleCpu = (spent.user + spent.system) / 1e6 / idleSeconds / nodes.length;
    global.gc?.();
    const memoryMiB = round((process.memoryUsage().rss - before) / MiB / Number(count));
    return { count: Number(count), memoryMiB, idleCpu: Number(idleCpu.toFixed(4)) };
  },
};

/** Keeps nothing, so that the network alone is measured. */
function quickHost(keys: PeerKeys): ShardHost {
  const zeros = Buffer.alloc(shardBytes);
  const host: Partial<ShardHost> = {
    store: async (_from, request) => {
      const record = parseSegmentRecord(request.record);
      const { owner, segment, createdAtMs: atMs } = record;
      const shard = record.roots[request.index] as ShardId;
      return signReceipt(keys, { owner, segment, index: request.index, shard, atMs }).bytes;
    },
    read: async (_from, _shard, range) => zeros.subarray(0, range.lengthBytes),
    space: () => ({ quotaBytes: 0, freeBytes: 0 }),
  };
  return host as ShardHost;
}

async function pour(socket: Socket, piece: Buffer, seconds: number): Promise<number> {
  const endMs = performance.now() + seconds * 1e3;
  let count = 0;
  while (performance.now() < endMs && !socket.destroyed) {
    count += piece.length;
    if (!socket.write(piece)) await roomIn(socket);
  }
  return count;
}

function roomIn(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

function drink(socket: Socket, seconds: number): Promise<number> {
  let count = 0;
  socket.on("data", (data) => { count += data.length; });
  return new Promise((resolve) => setTimeout(() => resolve(count), seconds * 1e3));
}

async function startChild<T>(
  role: string,
  argument = "",
): Promise<{ child: ChildProcess; answer: T }> {
  const child = fork(self, ["--role", role, argument], { execArgv: ["--expose-gc"] });
  const [answer] = (await once(child, "message")) as [T];
  return { child, answer };
}

async function askChild<T>(role: string, argument: string): Promise<T> {
  const { child, answer } = await startChild<T>(role, argument);
  child.kill();
  return answer;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

function words({ plain, noise, tls, node }: NetFigures): string {
  const line = (name: string, of: ProtocolFigures) => [
    `hive over ${name}: store ${of.storeMBs} MB/s (1 / ${round(plain.sendMBs / of.storeMBs)})`,
    `read ${of.readMBs} MB/s (1 / ${round(plain.receiveMBs / of.readMBs)}), ${of.cpuSecondsPerGB} CPU s/GB`,
    `${of.smallReads} small reads/s, round trip ${of.roundTripMs} ms`,
  ].join(", ");
  return [
    `plain socket: send ${plain.sendMBs} MB/s, receive ${plain.receiveMBs} MB/s`,
    line("noise", noise),
    line("tls", tls),
    `a node: ${node.memoryMiB} MiB, idle ${round(node.idleCpu * 100)} % of a core`,
  ].join("\n");
}

if (process.argv[1] === self) {
  const role = process.argv.indexOf("--role");
  if (role < 0) {
    const figures = await benchNet();
    const text = process.argv.includes("--json") ? JSON.stringify(figures) : words(figures);
    process.stdout.write(`${text}\n`);
  } else {
    const answer = await roles[process.argv[role + 1] as string]?.(process.argv[role + 2] ?? "");
    process.send?.(answer);
  }
}

