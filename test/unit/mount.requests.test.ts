/** Whatever bytes come from the device, the session answers or is silent; it never breaks. */
import { setImmediate } from "node:timers/promises";
import { test } from "tap";
import { Reader, Writer } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom, systemRandom } from "../../src/base/random.ts";
import type { FuseAddon } from "../../src/mount/addon.ts";
import { errno } from "../../src/mount/errno.ts";
import { opcodes } from "../../src/mount/protocol/protocol.ts";
import { Request } from "../../src/mount/protocol/request.ts";
import { Session } from "../../src/mount/session/session.ts";
import { MemoryTree } from "../support/memory-tree.ts";

const seed = process.env["SEED"] ?? systemRandom.below(2 ** 32).toString();
const replay = `SEED=${seed} node test/unit/mount.requests.test.ts`;
/** Before these are answered, the kernel may be told something about the file. */
const settling: readonly number[] = [
  opcodes.LSEEK, opcodes.RENAME, opcodes.RENAME2, opcodes.OPEN, opcodes.WRITE, opcodes.FALLOCATE,
  opcodes.COPY_FILE_RANGE, opcodes.COPY_FILE_RANGE_64,
];
/** Another thread has to work for it: on a busy machine that takes its time. */
const answerMsMax = 10_000;
const silent: readonly number[] = [opcodes.FORGET, opcodes.BATCH_FORGET, opcodes.INTERRUPT];

/** A device in memory: what is put in is read as requests, what is written is kept. */
class Device implements FuseAddon {
  readonly waiting: Buffer[] = [];
  readonly answers: Buffer[] = [];
  #readable: (() => void) | undefined;

  /** Has the session read all that waits. */
  pump(): void {
    while (this.waiting.length > 0) this.#readable?.();
  }

  open = () => -errno.ENODEV;
  mount = () => -errno.EPERM;
  unmount = async () => 0;
  notify = async () => -errno.ENODEV;
  pair = () => -errno.EPERM;
  receive = () => -errno.ENOMSG;

  read(_device: number, buffer: Uint8Array): number {
    const next = this.waiting.shift();
    if (next === undefined) return -errno.EAGAIN;
    buffer.set(next);
    return next.length;
  }

  write(_device: number, head: Uint8Array, length: number, pieces: readonly Uint8Array[] = []) {
    this.answers.push(Buffer.concat([head.subarray(0, length), ...pieces]));
    return length;
  }

  poll(_device: number, readable: () => void): () => void {
    this.#readable = readable;
    return () => {};
  }

  withSignalsBlocked<T>(act: () => T): T {
    return act();
  }
}

function packet(opcode: number, unique: number, ino: bigint, body: Buffer): Buffer {
  const bytes = Buffer.alloc(40 + body.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(opcode, 4);
  bytes.writeUInt32LE(unique, 8);
  bytes.writeBigUInt64LE(ino, 16);
  body.copy(bytes, 40);
  return bytes;
}

function initPacket(minor: number): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(minor, 4);
  body.writeUInt32LE(131072, 8);
  body.writeUInt32LE(0xffffffff, 12);
  body.writeUInt32LE(0xffffffff, 16);
  return packet(opcodes.INIT, 1, 0n, body);
}

/** Words that mean something now and then: small numbers, largest numbers, text, noise. */
function randomBody(random: Random): Buffer {
  const parts = Array.from({ length: random.below(9) }, () => {
    const word = Buffer.alloc(8);
    const kind = random.below(5);
    if (kind === 0) word.writeUInt32LE(random.below(4));
    if (kind === 1) word.fill(255);
    if (kind === 2) word.write("name", "latin1");
    if (kind === 3) random.bytes(8).copy(word);
    return word.subarray(0, random.below(8) === 0 ? random.below(9) : 8);
  });
  return Buffer.concat(parts);
}

async function answered(device: Device): Promise<void> {
  const untilMs = systemClock.monotonicMs() + answerMsMax;
  while (device.answers.length === 0 && systemClock.monotonicMs() < untilMs) await setImmediate();
}

function open(log = silentLog): { device: Device; session: Session; tree: MemoryTree } {
  const tree = new MemoryTree({ clock: systemClock }, { uid: 0, gid: 0 });
  const device = new Device();
  const session = new Session({ tree, log, clock: systemClock, addon: device }, 1_000_000);
  return { device, session, tree };
}

test("random requests are answered with an errno or in form, and nothing breaks", async (t) => {
  const random = seededRandom(seed);
  const bugs: string[] = [];
  const error = (_: string, fields: object = {}) => {
    const text = JSON.stringify(fields);
    if (!/"error":"(Corrupt|Invalid|TooLarge)/.test(text)) bugs.push(text);
  };
  const { device } = open({ ...silentLog, error });
  device.waiting.push(initPacket(45));
  device.pump();
  t.equal(device.answers.length, 1);
  for (let unique = 2; unique < 20_000; unique++) {
    const opcode = 1 + random.below(56);
    device.answers.length = 0;
    device.waiting.push(packet(opcode, unique, BigInt(random.below(6)), randomBody(random)));
    device.pump();
    if (opcode === opcodes.SYNCFS) await Promise.resolve().then(() => {});
    if (settling.includes(opcode)) await answered(device);
    const [answer] = device.answers;
    if (silent.includes(opcode) || opcode === opcodes.SYNCFS || opcode === opcodes.INIT) continue;
    const sound = device.answers.length === 1 && answer !== undefined &&
      answer.readUInt32LE(0) === answer.length && answer.readUInt32LE(8) === unique &&
      answer.readInt32LE(4) <= 0 && answer.readInt32LE(4) > -4096;
    if (!sound) t.fail(`opcode ${opcode}, request ${unique}; ${replay}`);
  }
  t.strictSame(bugs, [], replay);
});

test("bytes that are no request at all are passed over", (t) => {
  const random = seededRandom(seed);
  const { device } = open();
  device.waiting.push(initPacket(45));
  for (let round = 0; round < 2000; round++) device.waiting.push(random.bytes(random.below(100)));
  t.doesNotThrow(() => device.pump(), replay);
  t.end();
});

test("the parser throws nothing but faults", (t) => {
  const random = seededRandom(seed);
  const request = new Request(4096);
  for (let round = 0; round < 20_000; round++) {
    const bytes = packet(random.below(60), round, BigInt(random.below(3)), randomBody(random));
    bytes.copy(request.bytes);
    const at = random.below(80);
    const reads = [
      () => request.ino, () => request.u32(at), () => request.u64(at), () => request.u64Clamped(at),
      () => request.handle(at), () => request.instant(at, random.below(80)),
      () => request.text(at), () => request.place(at), () => request.view(at, random.below(90)),
    ];
    try {
      request.load(bytes.length);
      for (const read of reads) attempt(read);
    } catch (error) {
      t.fail(`${String(error)}; ${replay}`);
    }
  }
  t.end();
});

function attempt(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

test("a time beyond all that can be kept becomes the nearest that can", (t) => {
  const request = new Request(4096);
  const read = (seconds: bigint) => {
    const body = Buffer.alloc(16);
    body.writeBigInt64LE(seconds, 0);
    body.writeUInt32LE(5, 8);
    const bytes = packet(opcodes.SETATTR, 1, 1n, body);
    bytes.copy(request.bytes);
    return request.load(bytes.length).instant(0, 8);
  };
  const { secondsMax } = limits.tree;
  for (const seconds of [0, -1, 2 ** 32, secondsMax, -secondsMax]) {
    t.strictSame(read(BigInt(seconds)), { seconds, nanoseconds: 5 });
  }
  for (const seconds of [2n ** 52n, 2n ** 53n, 2n ** 63n - 1n]) {
    t.strictSame(read(seconds), { seconds: secondsMax, nanoseconds: 0 });
    t.strictSame(read(-seconds), { seconds: -secondsMax, nanoseconds: 0 });
  }
  for (const seconds of [secondsMax, -secondsMax]) {
    const written = new Writer(16).signed(seconds).finish();
    t.equal(new Reader(written, "test").signed(), seconds, "and can be written");
  }
  t.end();
});

test("the kernel's offer is taken in part, and an old kernel refused", async (t) => {
  const { device, session } = open();
  device.waiting.push(initPacket(45));
  device.pump();
  await session.ready;
  const answer = device.answers[0] as Buffer;
  t.equal(answer.length, 16 + 64);
  const flags = answer.readUInt32LE(28);
  const has = (bit: number) => ((flags >>> bit) & 1) === 1;
  t.ok(has(16) && has(13) && has(18) && has(22) && has(28) && has(20), "write-back and the like");
  t.notOk(has(1) || has(10) || has(4) || has(12), "no locks, export or guessing");
  t.equal(answer.readUInt32LE(36), 2 ** 20, "1 MiB writes");

  const old = open();
  old.device.waiting.push(initPacket(23));
  old.device.pump();
  await t.rejects(old.session.ready, { message: /protocol 7\.23/ });
  t.equal(old.device.answers[0]?.readInt32LE(4), -errno.EPROTO);
});

test("a look-up whose answer the kernel did not take is given back", (t) => {
  const { device, tree } = open();
  device.waiting.push(initPacket(45));
  device.pump();
  device.write = () => -errno.ENOENT;
  const body = Buffer.concat([Buffer.alloc(16), Buffer.from("file\0\0\0\0")]);
  body.writeUInt32LE(0o100644, 4);
  device.waiting.push(packet(opcodes.CREATE, 7, 1n, body));
  device.pump();
  t.equal(tree.census().handles, 0);
  t.end();
});
