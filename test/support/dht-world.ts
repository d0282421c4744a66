/**
 * Many real libp2p nodes in one process with our DHT and nothing else: some honest, some that lie
 * as well as the protocol lets them. For tests and for test/bench/dht.ts.
 */
import type { StreamHandler } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { Libp2pRecord } from "@libp2p/record";
import { multiaddr } from "@multiformats/multiaddr";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { type Random, seededRandom, shuffled } from "../../src/base/random.ts";
import type { Head, Offer } from "../../src/base/records.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { type DriveKeys, driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { signHead, signOffer } from "../../src/crypt/records/records.ts";
import { dhtPart } from "../../src/peers/dht/dht-part.ts";
import type { Node } from "../../src/peers/libp2p/node.ts";
import { openBareNode } from "./bare-node.ts";

/** On a busy machine the first questions of a young node may run into their time. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (tries === 6 || !isFault(error, "Unavailable")) throw error;
    }
  }
}

export interface Member extends AsyncDisposable {
  readonly node: Node;
  readonly keys: PeerKeys;
  readonly address: string;
  readonly lies: boolean;
}

export interface WorldOptions {
  readonly honest: number;
  /** They answer every question wrongly; every other one of them takes a question and is silent. */
  readonly liars?: number;
  readonly seed: number | string;
  /** Whom each newcomer is told of. */
  readonly told?: number;
}

export class DhtWorld implements AsyncDisposable {
  readonly members: Member[] = [];
  readonly random: Random;
  readonly #lies: Lies;

  constructor(seed: number | string) {
    this.random = seededRandom(`dht-world/${seed}`);
    this.#lies = new Lies(this.random);
  }

  static async open(options: WorldOptions): Promise<DhtWorld> {
    const world = new DhtWorld(options.seed);
    const { honest, liars = 0, told = 3 } = options;
    const kinds = shuffled(Array.from({ length: honest + liars }, (_, at) => at < liars), world.random);
    // The first must be honest, or nobody ever gets in.
    kinds.splice(kinds.indexOf(false), 1);
    for (const lies of [false, ...kinds]) {
      await world.join({ lies, told });
    }
    await world.settle();
    return world;
  }

  get honest(): readonly Member[] {
    return this.members.filter(({ lies }) => !lies);
  }

  async join({ lies, told = 3 }: { lies: boolean; told?: number }): Promise<Member> {
    const part = dhtPart(systemClock, () => true);
    const dht = lies ? { ...part, guard: () => this.#lies.handler() } : part;
    const member = { ...await openBareNode({ seed: this.random.bytes(32), dht }), lies };
    const { node } = member;
    for (const one of shuffled(this.members, this.random).slice(0, told)) {
      await node.dial(multiaddr(one.address));
    }
    this.#lies.hear(member);
    this.members.push(member);
    return member;
  }

  /** Until the nodes have looked for their neighbours. */
  async settle(): Promise<void> {
    const tables = this.honest.map(({ node }) => node.services.dht.refreshRoutingTable());
    await Promise.allSettled(tables);
  }

  async kill(members: readonly Member[]): Promise<void> {
    for (const member of members) {
      this.members.splice(this.members.indexOf(member), 1);
      await member.node.stop();
    }
  }

  /** A liar remembers an old one, and says that it is the newest. */
  head(drive: DriveKeys, sequence: number): Head {
    const peer = this.members[0]?.keys.peer as PeerId;
    const head = signHead(drive, {
      peer, sequence, publishedAtMs: systemClock.now(), sealed: Buffer.from(`root ${sequence}`),
    });
    this.#lies.remember(`/hive/head/${drive.owner}`, head.bytes);
    return head;
  }

  drive(): DriveKeys {
    return driveKeysOf(this.random.bytes(32));
  }

  offer(keys: PeerKeys, country: string | undefined, address = "/ip4/127.0.0.1/tcp/1"): Offer {
    return signOffer(keys, {
      atMs: systemClock.now(), household: keys.peer.slice(-8), country, addresses: [address],
      quotaBytes: 100, freeBytes: 50,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map(({ node }) => node.stop()));
  }
}

/** What liars say: the oldest record they ever saw, bytes of chance, and peers that are not. */
class Lies {
  readonly #random: Random;
  readonly #old = new Map<string, Uint8Array>();
  readonly #liars: Member[] = [];
  #handlers = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  hear(member: Member): void {
    if (member.lies) this.#liars.push(member);
  }

  remember(key: string, value: Uint8Array): void {
    if (!this.#old.has(key)) this.#old.set(key, value);
  }

  handler(): StreamHandler {
    const isSilent = this.#handlers++ % 2 === 1;
    return (stream) => {
      let held: Buffer = Buffer.alloc(0);
      stream.addEventListener("message", ({ data }) => {
        held = Buffer.concat([held, data.subarray()]);
        for (let frame = takeFrame(held); frame !== undefined; frame = takeFrame(held)) {
          held = frame.rest;
          if (!isSilent && stream.status === "open") stream.send(this.#answer(frame.message));
        }
      });
    };
  }

  #answer(message: Buffer): Uint8Array {
    const fields = readFields(message);
    const type = Number(fields.find(({ tag }) => tag === 1)?.value ?? 0);
    const key = fields.find(({ tag }) => tag === 2)?.value;
    // What it was asked to keep it says it has kept.
    if (type === 0) return framed(message);
    const name = key instanceof Buffer ? key : Buffer.alloc(0);
    const value = this.#old.get(name.toString("latin1")) ?? this.#random.bytes(200);
    const record = new Libp2pRecord(name, value, new Date()).serialize();
    const closer = Array.from({ length: 20 }, () => this.#nobody());
    return framed(Buffer.concat([
      varintField(1, type), bytesField(2, name),
      ...(type === 1 ? [bytesField(3, record)] : []),
      ...closer.map((peer) => bytesField(8, peer)),
    ]));
  }

  /** Another liar, or somebody who is not there. */
  #nobody(): Buffer {
    const liar = this.#random.below(2) === 0
      ? this.#liars[this.#random.below(this.#liars.length)] : undefined;
    const peer = liar?.keys.peer ?? peerKeysOf(this.#random.bytes(32)).peer;
    const address = multiaddr(liar?.address.split("/p2p/")[0] ?? "/ip4/127.0.0.1/tcp/1");
    return Buffer.concat([
      bytesField(1, peerIdFromString(peer).toMultihash().bytes), bytesField(2, address.bytes),
    ]);
  }
}

function takeFrame(held: Buffer): { message: Buffer; rest: Buffer } | undefined {
  const length = readVarint(held, 0);
  if (length === undefined || held.length < length.next + length.value) return undefined;
  const end = length.next + length.value;
  return { message: held.subarray(length.next, end), rest: held.subarray(end) };
}

/** Protobuf by hand: the DHT's own coder is not for others to import. */
function readFields(message: Buffer): { tag: number; value: number | Buffer }[] {
  const fields: { tag: number; value: number | Buffer }[] = [];
  for (let at = 0; at < message.length;) {
    const head = readVarint(message, at);
    const body = head === undefined ? undefined : readVarint(message, head.next);
    if (head === undefined || body === undefined) break;
    const tag = head.value >> 3;
    const isBytes = (head.value & 7) === 2;
    const end = isBytes ? body.next + body.value : body.next;
    fields.push({ tag, value: isBytes ? message.subarray(body.next, end) : body.value });
    at = end;
  }
  return fields;
}

function readVarint(bytes: Buffer, start: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let at = start, scale = 1; at < bytes.length; at++, scale *= 128) {
    const byte = bytes[at] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, next: at + 1 };
  }
  return undefined;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) | 128);
  }
}

function varintField(tag: number, value: number): Buffer {
  return Buffer.concat([varint(tag << 3), varint(value)]);
}

function bytesField(tag: number, value: Uint8Array): Buffer {
  return Buffer.concat([varint((tag << 3) | 2), varint(value.length), value]);
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([varint(message.length), message]);
}
