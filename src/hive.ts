/**
 * The front door: builds every room from a config, introduces them to each other, and starts and
 * stops them in order. It decides nothing itself. `src/README.md` is the map.
 *
 * A drive's daemon has two threads. The main one answers the kernel: cache, tree, mount. The other
 * one is a node: peers, vault, transfer, agent; it is this same file, started as a worker. A node
 * without a drive (`hive node`, a swarm's peer) runs on the main thread of its own process.
 */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  MessageChannel,
  type MessagePort,
  Worker,
  isMainThread,
  workerData,
} from "node:worker_threads";
import { type Agent, openAgent } from "./agent/agent.ts";
import { startLoop } from "./agent/loop.ts";
import { peerRowsOf, safetyOf } from "./agent/report.ts";
import type { UploadSource } from "./base/blocks.ts";
import { systemClock as clock } from "./base/clock.ts";
import { HiveError } from "./base/errors.ts";
import type { Cid } from "./base/ids.ts";
import { type Log, lineLog } from "./base/log.ts";
import type { NodeDuties } from "./base/node.ts";
import { systemRandom as random } from "./base/random.ts";
import type { DeviceCertificate } from "./base/records.ts";
import type { CacheReport, DriveStatus, VerifyReport } from "./base/views.ts";
import { Channel } from "./bridge/channel.ts";
import { remoteNode, serveNode } from "./bridge/node.ts";
import { remoteSource, serveSource } from "./bridge/source.ts";
import { type Cache, openCache, openKeyValue } from "./cache/cache.ts";
import { driveKeysOf } from "./crypt/drive.ts";
import { peerKeysOf } from "./crypt/peer-key.ts";
import { signDeviceCertificate } from "./crypt/records.ts";
import { openCoder } from "./erasure/erasure.ts";
import { type MountOptions, type Mounted, bestDriver, clearStaleMount } from "./mount/mount.ts";
import { mount } from "./mount/mount.ts";
import { type Invite, type Peers, encodeInvite, openPeers, parseInvite } from "./peers/peers.ts";
import { type Transfer, openTransfer } from "./transfer/transfer.ts";
import { type Tree, openTree } from "./tree/tree.ts";
import { type Vault, openVault } from "./vault/vault.ts";

export { type Secrets, encodeKeyFile, keyFileNeedsPassphrase } from "./crypt/keyfile.ts";
export { openKeyFile } from "./crypt/keyfile.ts";
export { seedOfWords, wordsOfSeed } from "./crypt/words.ts";
export { parseMountOptions } from "./mount/mount.ts";
export { openCoder, peerKeysOf };
export type { CacheReport, DriveStatus, NodeDuties, VerifyReport };

export interface NodeConfig {
  /** Books and vault of this node; made 0700. */
  readonly directory: string;
  readonly peerSeed: Uint8Array;
  /** Absent on a node that only keeps shards for others. */
  readonly driveSeed: Uint8Array | undefined;
  readonly deviceName: string;
  readonly listen: readonly string[];
  readonly bootstrap: readonly string[];
  readonly household: string;
  readonly country: string | undefined;
  readonly mdns: boolean;
  readonly quotaBytes: number;
  readonly deadAfterMs: number;
  readonly auditIntervalMs: number;
}

export interface DriveConfig extends NodeConfig {
  readonly driveSeed: Uint8Array;
  readonly cacheDirectory: string;
  readonly cacheLimitBytes: number;
  readonly mount: Pick<MountOptions, "directory"> & Partial<MountOptions>;
}

/** A mounted drive. */
export interface Drive extends AsyncDisposable {
  /** Resolves when the mount is gone, by whomever. */
  readonly ended: Promise<void>;
  readonly node: NodeDuties;
  status(): Promise<DriveStatus>;
  /** Until everything written so far is on peers; TimedOut otherwise. */
  flush(timeoutMs: number): Promise<void>;
  cache(options: { readonly drop: boolean }): Promise<CacheReport>;
  setCacheLimit(bytes: number): Promise<void>;
  /** Every chunk of the files at or below the path, fetched from its holders. */
  verifyPath(path: readonly string[]): Promise<VerifyReport>;
  unmount(options: { readonly lazy: boolean }): Promise<void>;
}

export interface NodeNeeds {
  readonly log: Log;
  /** The drive's cache; a node without a drive has none. */
  readonly source?: UploadSource;
}

/** Peers and vault, and with a drive's seed transfer and agent too. */
export async function openNode(needs: NodeNeeds, config: NodeConfig): Promise<NodeDuties> {
  await using parts = new AsyncDisposableStack();
  const rooms = await openRooms(needs, config, parts);
  rooms.agent.start();
  return dutiesOf(rooms, parts.move());
}

interface Rooms {
  readonly peers: Peers;
  readonly vault: Vault;
  readonly transfer: Transfer | undefined;
  readonly agent: Agent;
  /** The device's, for invites. */
  readonly name: string;
}

async function openRooms(
  needs: NodeNeeds,
  config: NodeConfig,
  parts: AsyncDisposableStack,
): Promise<Rooms> {
  const { log, source } = needs;
  const directory = privateDirectory(config.directory);
  const keys = peerKeysOf(config.peerSeed);
  const openBooks = async (name: string) =>
    parts.use(await openKeyValue(join(directory, "books", name)));
  const vaultNeeds = { directory: join(directory, "vault"), clock, log, keys };
  const books = await openBooks("vault");
  const vault = parts.use(await openVault({ ...vaultNeeds, books }, config));
  const certificates = certificatesOf(config);
  const peers = parts.use(
    await openPeers(
      { clock, random, log, books: await openBooks("peers"), host: vault, certificates },
      config,
    ),
  );
  const shared = { network: peers, clock, random, log };
  const transfer =
    config.driveSeed === undefined
      ? undefined
      : await openTransfer({
          ...shared,
          source: source ?? emptySource,
          books: await openBooks("transfer"),
          coder: openCoder(),
          keys: driveKeysOf(config.driveSeed),
        });
  const agent = await openAgent(
    { ...shared, transfer, books: await openBooks("agent") },
    { ...config, steps: [peers.step, vault.step] },
  );
  parts.defer(() => agent.stop());
  return { peers, vault, transfer, agent, name: config.deviceName };
}

function dutiesOf(rooms: Rooms, parts: AsyncDisposableStack): NodeDuties {
  const { peers, vault, transfer, agent, name } = rooms;
  const drive = (): Transfer => {
    if (transfer !== undefined) return transfer;
    throw new HiveError("Unsupported", "node", "it has no drive");
  };
  return {
    fetch: (cid, options) => drive().fetch(cid, options),
    async status() {
      const known = peers.peers();
      const online = known.filter((peer) => peer.online).length;
      return {
        peer: peers.self,
        addresses: peers.addresses(),
        vault: vault.usage(),
        peers: { known: known.length, online },
        drive: safetyOf(agent.status()),
      };
    },
    peers: async () => peerRowsOf(peers.peers(), agent.status().peers),
    flush: (timeoutMs) => drive().flush(timeoutMs),
    verify: (options) => agent.verify(options),
    missing: (cids) => countMissing(drive(), cids),
    invite: async () => encodeInvite(inviteOf(peers, name)),
    join: (invite) => joinOne(peers, parseInvite(invite)),
    wake: async () => agent.wake(),
    close: () => parts.disposeAsync(),
  };
}

/** What a node uploads that has no cache: nothing. */
const emptySource: UploadSource = {
  beginRound: async () => undefined,
  read: async (cid) => {
    throw new HiveError("NotFound", "source.read", cid);
  },
  placed: async () => {},
  endRound: async () => {},
};

function privateDirectory(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  return directory;
}

async function countMissing(transfer: Transfer, cids: readonly Cid[]): Promise<number> {
  let missing = 0;
  for (const cid of cids) {
    await transfer.fetch(cid, {}).catch(() => missing++);
  }
  return missing;
}

function inviteOf(peers: Peers, name: string): Invite {
  const addresses = peers.addresses().map((address) => address.split("/p2p/")[0] as string);
  return { peer: peers.self, addresses, name };
}

/** The first address that answers. */
async function joinOne(peers: Peers, invite: Invite): Promise<string> {
  const failures: unknown[] = [];
  for (const plain of invite.addresses) {
    const address = `${plain}/p2p/${invite.peer}`;
    try {
      await peers.connect(address);
      return address;
    } catch (failure) {
      failures.push(failure);
    }
  }
  const cause = new AggregateError(failures);
  throw new HiveError("Unavailable", "node.join", "no address of the invite answers", { cause });
}

/** A month: a device that was away longer signs itself a new one at its next start. */
const certificateMs = 31 * 24 * 3600 * 1000;

function certificatesOf(config: NodeConfig): () => readonly DeviceCertificate[] {
  const { driveSeed, deviceName: name } = config;
  if (driveSeed === undefined) return () => [];
  const keys = driveKeysOf(driveSeed);
  const { peer } = peerKeysOf(config.peerSeed);
  return () => {
    const issuedAtMs = clock.now();
    const expiresAtMs = issuedAtMs + certificateMs;
    return [signDeviceCertificate(keys, { peer, name, issuedAtMs, expiresAtMs })];
  };
}

/** Opens the local store and the tree, starts the network's thread, and mounts. */
export async function openDrive(needs: { readonly log: Log }, config: DriveConfig): Promise<Drive> {
  const { log } = needs;
  await using parts = new AsyncDisposableStack();
  const cache = parts.use(await openDriveCache(log, config));
  const node = await startNetwork(config, cache, parts);
  cache.setFetcher(node);
  parts.use(cache.onDirty(() => void node.wake().catch(() => {})));
  const { treeSecret } = driveKeysOf(config.driveSeed);
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const { readOnly = false } = config.mount;
  const tree = await openTree({ store: cache, clock, random, log }, { treeSecret, readOnly, ...owner });
  parts.defer(() => tree.close());
  const loop = startLoop([tree.committer, cache.step], { clock, log });
  parts.defer(() => loop.stop());
  const mounted = parts.use(await mountTree(tree, log, config));
  return driveOf({ cache, tree, node, mounted }, parts.move());
}

function openDriveCache(log: Log, config: DriveConfig): Promise<Cache> {
  const directory = privateDirectory(config.cacheDirectory);
  const options = { limitBytes: config.cacheLimitBytes };
  return openCache({ directory, clock, log, fetcher: undefined }, options);
}

async function mountTree(tree: Tree, log: Log, config: DriveConfig): Promise<Mounted> {
  const { directory } = config.mount;
  if (await clearStaleMount(directory)) log.warn("mount.stale-cleared");
  mkdirSync(directory, { recursive: true });
  const plain = { driver: bestDriver(), allowOther: false, readOnly: false, fsName: "hive" };
  return mount({ tree, log, clock }, { ...plain, ...config.mount });
}

interface DriveParts {
  readonly cache: Cache;
  readonly tree: Tree;
  readonly node: NodeDuties;
  readonly mounted: Mounted;
}

function driveOf(parts: DriveParts, owned: AsyncDisposableStack): Drive {
  const { cache, tree, node, mounted } = parts;
  return {
    ended: mounted.ended,
    node,
    status: () => statusOf(parts),
    async flush(timeoutMs) {
      await tree.commit();
      await node.flush(timeoutMs);
    },
    async cache({ drop }) {
      const droppedBytes = drop ? await cache.dropClean() : 0;
      const { limitBytes, usedBytes, dirtyBytes } = cache.usage();
      return { limitBytes, usedBytes, dirtyBytes, droppedBytes };
    },
    setCacheLimit: (bytes) => cache.setLimit(bytes),
    verifyPath: (path) => verifyPath(tree, node, path),
    unmount: (how) => mounted.unmount(how),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function statusOf({ cache, node, mounted }: DriveParts): Promise<DriveStatus> {
  const { limitBytes, usedBytes, dirtyBytes } = cache.usage();
  const { peers, drive } = await node.status();
  if (drive === undefined) throw new HiveError("Unsupported", "drive.status", "no drive");
  const { households, householdsNeeded, pendingBlocks, ...safety } = drive;
  const whole = safety.segments.degraded + safety.segments.lost === 0;
  const moving = dirtyBytes > 0 || pendingBlocks > 0;
  return {
    pid: process.pid,
    mount: mounted.directory,
    driver: mounted.driver,
    state: safety.class === null ? "local" : moving ? "uploading" : whole ? "safe" : "degraded",
    ...safety,
    dirtyBytes,
    cacheBytes: usedBytes,
    cacheLimitBytes: limitBytes,
    peers: { ...peers, households, householdsNeeded },
    requests: mounted.stats(),
  };
}

async function verifyPath(
  tree: Tree, node: NodeDuties, path: readonly string[],
): Promise<VerifyReport> {
  const cids: Cid[] = [];
  for await (const cid of tree.cidsOf(await tree.walk(path))) cids.push(cid);
  const nothing = { segments: 0, proofsRight: 0, proofsWrong: 0, late: 0, offline: 0, bad: [] };
  return { ...nothing, blocks: cids.length, missing: await node.missing(cids) };
}

/** Fetches a drive's newest state from the peers into an empty cache. */
export async function recoverDrive(
  needs: { readonly log: Log },
  config: DriveConfig,
): Promise<void> {
  const { log } = needs;
  await using parts = new AsyncDisposableStack();
  const { transfer } = await openRooms(needs, config, parts);
  const root = await transfer?.recover();
  if (root === undefined) throw new HiveError("NotFound", "recover", "no peer knows this drive");
  const cache = parts.use(await openDriveCache(log, config));
  await cache.commit(root, 0);
  // What was just fetched needs no upload.
  await cache.endRound(root);
}

/** Only what crosses to another thread: no functions, and not the mount's options. */
function plainConfig(config: NodeConfig): NodeConfig {
  const { directory, peerSeed, driveSeed, deviceName, listen, bootstrap, household } = config;
  const { country, mdns, quotaBytes, deadAfterMs, auditIntervalMs } = config;
  const who = { directory, peerSeed, driveSeed, deviceName, household, country };
  return { ...who, listen, bootstrap, mdns, quotaBytes, deadAfterMs, auditIntervalMs };
}

interface NetworkSeed {
  readonly role: "network";
  /** Where the cache answers, and where the node is asked. */
  readonly source: MessagePort;
  readonly node: MessagePort;
  readonly config: NodeConfig;
}

/** The node on a thread of its own; it ends with the stack. */
async function startNetwork(
  config: NodeConfig, cache: Cache, parts: AsyncDisposableStack,
): Promise<NodeDuties> {
  const forSource = new MessageChannel();
  const forNode = new MessageChannel();
  const ends = { source: forSource.port2, node: forNode.port2 };
  const seed: NetworkSeed = { role: "network", ...ends, config: plainConfig(config) };
  const worker = new Worker(new URL(import.meta.url), {
    workerData: seed,
    transferList: Object.values(ends),
  });
  const failed = new Promise<never>((_, reject) => worker.once("error", reject));
  const source = new Channel(forSource.port1, serveSource(cache));
  const channel = new Channel(forNode.port1, {});
  const node = remoteNode(channel);
  parts.defer(async () => {
    await node.close().catch(() => {});
    channel.close();
    source.close();
    await worker.terminate();
  });
  // The first question is answered once the node is open.
  await Promise.race([node.status(), failed]);
  failed.catch(() => {});
  return node;
}

async function runNetwork({ source, node, config }: NetworkSeed): Promise<void> {
  const log = lineLog({ level: "info", write: (line) => process.stderr.write(line) });
  const channel = new Channel(source, {});
  const duties = await openNode({ log, source: remoteSource(channel) }, config);
  // Questions asked meanwhile have waited in the port.
  new Channel(node, serveNode(duties));
}

if (!isMainThread && (workerData as Partial<NetworkSeed> | null)?.role === "network") {
  await runNetwork(workerData as NetworkSeed);
}
