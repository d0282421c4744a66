/**
 * Real nodes over loopback, each with a real vault, a real ledger and a clock that a test moves;
 * they see each other as strangers from different parts of the internet.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { OwnerId, PeerId } from "../../src/base/ids.ts";
import type { Lodgers } from "../../src/base/ledger.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Requester, ShardHost } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openKeyValue } from "../../src/cache/index/key-value.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { type Ledger, type LedgerOptions, openLedger } from "../../src/ledger/ledger.ts";
import type { Peers } from "../../src/peers/peers.ts";
import { type Vault, openVault } from "../../src/vault/vault.ts";
import { MemoryKeyValue } from "./memory-host.ts";
import { TestDrive, openTestNode } from "./peer-nodes.ts";
import { ShiftedClock } from "./transfer-world.ts";
import { newDirectory } from "./vault-house.ts";

/** Beyond whatever a test's clock may be set to. */
const farMs = 4e12;

export interface Neighbour extends AsyncDisposable {
  readonly keys: PeerKeys;
  readonly drive: TestDrive;
  readonly clock: ShiftedClock;
  readonly peers: Peers;
  readonly vault: Vault;
  readonly ledger: Ledger;
  readonly address: string;
}

export interface NeighbourOptions extends Partial<LedgerOptions> {
  readonly clock?: ShiftedClock;
  /** Of an earlier life; without them it has none. */
  readonly books?: MemoryKeyValue;
  readonly quotaBytes?: number;
  readonly onGone?: Parameters<typeof openLedger>[0]["onGone"];
  /** Whom it says to keep something for, beside what its vault keeps. */
  readonly lodgers?: readonly OwnerId[];
}

export function keysOf(name: string): PeerKeys {
  return peerKeysOf(seedOf(name));
}

/** The node of this name: the same keys and the same drive in every life. */
export async function openNeighbour(
  name: string, options: NeighbourOptions = {},
): Promise<Neighbour> {
  await using parts = new AsyncDisposableStack();
  const directory = await newDirectory();
  parts.defer(() => rm(directory, { recursive: true }));
  const keys = keysOf(name);
  const drive = new TestDrive(name);
  const clock = options.clock ?? new ShiftedClock();
  const { quotaBytes = 256 * 2 ** 20, ratio = 3 } = options;
  const met: { peers?: Peers; vault?: Vault } = {};
  const told: Lodgers = new Map((options.lodgers ?? []).map((owner) => {
    return [owner, { bytes: 2 ** 20, isWelcome: false }];
  }));
  const ledger = await openLedger({
    books: options.books ?? new MemoryKeyValue(), keys, clock, random: seededRandom(directory),
    log: silentLog, network: () => met.peers,
    lodgers: () => new Map([...told, ...met.vault?.lodgers() ?? []]),
    ...(options.onGone === undefined ? {} : { onGone: options.onGone }),
  }, { ...options, ratio, quotaBytes });
  const books = parts.use(await openKeyValue(join(directory, "books")));
  const place = { directory: join(directory, "vault"), books, clock, log: silentLog, keys };
  const vault = parts.use(await openVault({ ...place, lender: ledger.lender }, { quotaBytes }));
  met.vault = vault;
  const node = parts.use(await openTestNode({
    seed: seedOf(name), clock, host: () => seenAsStrangers(vault),
    certificates: () => [drive.certificate(keys.peer, { expiresAtMs: farMs })], more: { ledger: ledger.host },
  }));
  met.peers = node.peers;
  const owned = parts.move();
  const close = () => owned.disposeAsync();
  const { peers, address } = node;
  return { keys, drive, clock, peers, vault, ledger, address, [Symbol.asyncDispose]: close };
}

/** Each peer from a /24 of its own: on loopback nobody would be a stranger. */
function prefixOf(peer: PeerId): string {
  const [high, low] = sha256(Buffer.from(peer));
  return `198.${high}.${low}.0/24`;
}

function seenAsStrangers(vault: Vault): ShardHost {
  const from = (asker: Requester): Requester => ({ ...asker, prefix: prefixOf(asker.peer) });
  return {
    store: (asker, ...asked) => vault.store(from(asker), ...asked),
    read: (asker, ...asked) => vault.read(from(asker), ...asked),
    prove: (asker, ...asked) => vault.prove(from(asker), ...asked),
    release: (asker, ...asked) => vault.release(from(asker), ...asked),
    putRecord: (asker, ...asked) => vault.putRecord(from(asker), ...asked),
    records: (asker, ...asked) => vault.records(from(asker), ...asked),
    segments: (asker, ...asked) => vault.segments(from(asker), ...asked),
    space: () => vault.space(),
  };
}

function seedOf(name: string): Buffer {
  return sha256(Buffer.from(`neighbour ${name}`));
}
