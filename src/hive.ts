/**
 * The front door: builds every room from a config, introduces them to each other, and starts and
 * stops them in order. It decides nothing itself. `src/README.md` is the map.
 *
 * A drive's daemon has two threads. The main one answers the kernel: cache, tree, mount. The other
 * one is a node: peers, vault, transfer, agent; it is this same file, started as a worker. A node
 * without a drive (`hive node`, a swarm's peer) runs on the main thread of its own process.
 */
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Agent, openAgent } from "./agent/agent.ts";
import { policyReportOf } from "./agent/explain.ts";
import { cachePolicyStep } from "./agent/cache-policy.ts";
import { startLoop } from "./agent/loop.ts";
import { driveStatusOf, peerRowsOf, safetyOf } from "./agent/report.ts";
import type { UploadSource } from "./base/blocks.ts";
import { systemClock as clock } from "./base/clock.ts";
import type { FsckReport } from "./base/damages.ts";
import { HiveError } from "./base/errors.ts";
import { type Cid, nameFromText } from "./base/ids.ts";
import { type Log, lineLog, toStandardError } from "./base/log.ts";
import { memoryStep } from "./base/memory.ts";
import type { NodeDuties } from "./base/node.ts";
import { systemRandom as random } from "./base/random.ts";
import type { CacheReport, DriveStatus, PathPolicy, PolicyTexts } from "./base/views.ts";
import type { VerifyReport } from "./base/views.ts";
import { Channel, type Handlers } from "./bridge/channel.ts";
import { Government } from "./bridge/government.ts";
import { serveNode } from "./bridge/node.ts";
import { type RemoteBlocks, emptySource, remoteBlocks } from "./bridge/source.ts";
import { remoteSource, serveSource } from "./bridge/source.ts";
import { NetworkThread, threadSeed } from "./bridge/thread.ts";
import { type Cache, openCache, openKeyValue, readAside } from "./cache/cache.ts";
import { bringBack } from "./check/bring-back.ts";
import { type DriveCheckNeeds, type DriveCheckOptions } from "./check/check.ts";
import { checkDrive as checkLocally } from "./check/check.ts";
import { verifyPath } from "./check/verify-path.ts";
import { certifier } from "./crypt/certificates.ts";
import { driveKeysOf } from "./crypt/drive.ts";
import { peerKeysOf } from "./crypt/peer-key.ts";
import { openCoder } from "./erasure/erasure.ts";
import { type MountOptions, type Mounted, bestDriver, clearStaleMount } from "./mount/mount.ts";
import { mount } from "./mount/mount.ts";
import { inviteTo, joinBy } from "./peers/joining.ts";
import type { Peers } from "./peers/peers.ts";
import { Places } from "./places/places.ts";
import { Survey } from "./places/survey.ts";
import { type PolicyDescription, describePolicy, policiesOf } from "./placement/describe.ts";
import type { Recovered } from "./transfer/recover.ts";
import { type Transfer, openTransfer } from "./transfer/transfer.ts";
import { type Tree, openTree } from "./tree/tree.ts";
import { type Vault, openVault } from "./vault/vault.ts";

export { type Secrets, encodeKeyFile, keyFileNeedsPassphrase } from "./crypt/keyfile.ts";
export { openKeyFile } from "./crypt/keyfile.ts";
export { seedOfWords, wordsOfSeed } from "./crypt/words.ts";
export { type Done } from "./check/check.ts";
export { type Dashboard, serveDashboard } from "./web/dashboard.ts";
export { parseMountOptions } from "./mount/mount.ts";
export { networkKeyBytes, parseInvite } from "./peers/peers.ts";
export { describePolicy, openCoder, peerKeysOf };
export type { CacheReport, DriveStatus, NodeDuties, PolicyDescription, VerifyReport };

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
  readonly relay?: "on" | "off" | "auto";
  readonly upnp?: boolean;
  /** Of a private network, 32 bytes. */
  readonly networkKey?: Uint8Array;
  readonly quotaBytes: number;
  /** Of the quota, for each drive whose user is no friend; 1 when not told. */
  readonly strangerShare?: number;
  readonly deadAfterMs: number;
  readonly auditIntervalMs: number;
  /** The user's policies; without them the built-in one holds. */
  readonly policies?: PolicyTexts;
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
  /** What whoever mounts it should hear: of a local store that was gone. */
  readonly note: string | undefined;
  status(): Promise<DriveStatus>;
  /** Until everything written so far is on peers; TimedOut otherwise. */
  flush(timeoutMs: number): Promise<void>;
  cache(options: { readonly drop: boolean }): Promise<CacheReport>;
  setCacheLimit(bytes: number): Promise<void>;
  /** Every chunk of the files at or below the path, fetched from its holders. */
  verifyPath(path: readonly string[]): Promise<VerifyReport>;
  /** The policy that a path goes by. */
  policyAt(path: readonly string[]): Promise<PathPolicy>;
  /** Gives a folder a policy of its own, by its name; null for that of the folder above. */
  setPolicy(path: readonly string[], name: string | null): Promise<void>;
  /** The user's policies say something else now. */
  govern(texts: PolicyTexts): Promise<void>;
  unmount(options: { readonly lazy: boolean }): Promise<void>;
}

export interface NodeNeeds {
  readonly log: Log;
  /** The drive's cache, for uploads and for IPFS; a node without a drive has none. */
  readonly source?: UploadSource;
  readonly blocks?: RemoteBlocks;
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
  readonly places: Places;
  /** The device's, for invites. */
  readonly name: string;
  /** What is wrong with the user's policies. */
  readonly problem: string | null;
  readonly networkKey: Uint8Array | undefined;
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
  // The vault answers peers, and judges by what is known of them: each needs the other.
  const met: { peers?: Peers } = {};
  const neighbours = { offer: () => met.peers?.offer(), peers: () => met.peers?.peers() ?? [] };
  const vaultNeeds = { directory: join(directory, "vault"), clock, log, keys, neighbours };
  const books = await openBooks("vault");
  const vault = parts.use(await openVault({ ...vaultNeeds, books }, config));
  const driveKeys = config.driveSeed === undefined ? undefined : driveKeysOf(config.driveSeed);
  const device = { peer: keys.peer, name: config.deviceName };
  const certificates =
    driveKeys === undefined ? () => [] : certifier(driveKeys, device, clock);
  const ipfs = needs.blocks === undefined ? {} : { blocks: needs.blocks, fetcher: needs.blocks };
  const people = { clock, random, log, books: await openBooks("peers"), host: vault };
  const places = parts.use(new Places(people, { ...config, self: keys.peer }));
  // Brought here: libp2p takes 25 MB of each thread that loads it, and half a second.
  const { openPeers } = await import("./peers/peers.ts");
  const peers = parts.use(await openPeers({ ...people, certificates, places, ...ipfs }, config));
  met.peers = peers;
  const shared = { network: peers, clock, random, log };
  const transfer =
    driveKeys === undefined
      ? undefined
      : await openTransfer({
          ...shared,
          source: source ?? emptySource,
          books: await openBooks("transfer"),
          coder: openCoder(),
          keys: driveKeys,
        }, transferOptions(config.policies));
  const survey = new Survey({
    ...people, places, network: peers.ranging, peers: () => peers.peers(),
    wanted: transfer === undefined ? undefined : () => transfer.holders().keys(),
  });
  // Beside a drive it is a thread that nobody waits for: at rest it has nothing better to do.
  const memory = source === undefined ? [] : [memoryStep({ clock })];
  const agent = await openAgent(
    { ...shared, transfer, books: await openBooks("agent") },
    { ...config, steps: [peers.step, vault.step, survey, ...memory] },
  );
  parts.defer(() => agent.stop());
  const problem = config.policies?.problem ?? null;
  const { deviceName: name, networkKey } = config;
  return { peers, vault, transfer, agent, places, name, networkKey, problem };
}

function transferOptions(texts = noTexts) {
  const { drive: policy, driveName: policyName, named } = policiesOf(texts);
  return { policy, policyName, named };
}

function dutiesOf(rooms: Rooms, parts: AsyncDisposableStack): NodeDuties {
  const { peers, vault, transfer, agent, places, name } = rooms;
  let { problem } = rooms;
  const drive = (): Transfer => {
    if (transfer !== undefined) return transfer;
    throw new HiveError("Unsupported", "node", "it has no drive");
  };
  return {
    fetch: (cid, options) => drive().fetch(cid, options),
    ipfsBlock: async (cid) => (await peers.ipfs()).block(cid),
    async status() {
      const known = peers.peers();
      const online = known.filter((peer) => peer.online).length;
      return {
        peer: peers.self,
        addresses: peers.addresses(),
        vault: vault.usage(),
        peers: { known: known.length, online },
        drive: safetyOf(agent.status(), {
          holders: transfer?.holders().keys() ?? [], known, problem,
          notHere: transfer?.notHere() ?? [],
        }),
      };
    },
    peers: async () => peerRowsOf(peers.peers(), agent.status().peers),
    flush: (timeoutMs) => drive().flush(timeoutMs),
    verify: (options) => agent.verify(options),
    missing: (cids) => countMissing(drive(), cids),
    newestRoot: async () => (await drive().recover())?.root,
    explainPolicy: async (asked) => policyReportOf(asked, {
      known: peers.peers(), groups: transfer?.health.groups() ?? [], nowMs: clock.now(),
    }),
    govern: async (texts) => {
      drive().govern(policiesOf(texts));
      problem = texts.problem;
      agent.wake();
    },
    mayCache: async () => transfer?.mayHere("cache") ?? true,
    vouch: async ({ peer, country }) => places.vouch(peer, country ?? undefined),
    invite: async (asked) => {
      const networkKey = asked.networkKey ? rooms.networkKey : undefined;
      return inviteTo(peers, { name, nowMs: clock.now(), networkKey });
    },
    join: (invite) => joinBy(peers, invite, clock.now()),
    wake: async () => agent.wake(),
    close: () => parts.disposeAsync(),
  };
}

const noTexts: PolicyTexts = { drive: undefined, named: {}, problem: null };

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

/** Opens the local store and the tree, starts the network's thread, and mounts. */
export async function openDrive(needs: { readonly log: Log }, config: DriveConfig): Promise<Drive> {
  const { log } = needs;
  await using parts = new AsyncDisposableStack();
  // A node's books are made by the first mount, and so is the local store.
  const isNew = !existsSync(join(config.directory, "books"));
  const cache = parts.use(await openDriveCache(log, config));
  const government = new Government(config.policies ?? noTexts);
  const { node } = parts.use(await startNetwork(log, config, serveSource(cache, government)));
  cache.setFetcher(node);
  parts.use(cache.onDirty(() => void node.wake().catch(() => {})));
  const { treeSecret } = driveKeysOf(config.driveSeed);
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const { readOnly = false } = config.mount;
  const note = await bringBack(cache, node, { clock, log, isNew });
  const options = { treeSecret, readOnly, ...owner };
  const policies = (name: string) => government.textOf(name);
  const tree = await openTree({ store: cache, clock, random, log, policies }, options);
  parts.defer(() => tree.close());
  const memory = memoryStep({ clock, forget: () => tree.forgetOpened() });
  const dropClean = () => cache.dropClean();
  const policy = cachePolicyStep({ clock, mayCache: () => node.mayCache(), dropClean });
  const steps = [tree.committer, tree.collector, tree.resealer, cache.step, memory, policy];
  const loop = startLoop(steps, { clock, log });
  parts.defer(() => loop.stop());
  // Writers may wait for room: there may be garbage.
  parts.use(cache.onDirty(() => loop.wake()));
  await government.begin(tree, node);
  const mounted = parts.use(await mountTree(tree, log, config));
  return driveOf({ cache, tree, node, mounted, note, government }, parts.move());
}

function startNetwork(log: Log, config: DriveConfig, handlers: Handlers) {
  const file = new URL(import.meta.url);
  return NetworkThread.start({ file, config: plainConfig(config), handlers, clock, log });
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
  readonly note: string | undefined;
  readonly government: Government;
}

function driveOf(parts: DriveParts, owned: AsyncDisposableStack): Drive {
  // Whoever closes it second waits as long as the first.
  let closing: Promise<void> | undefined;
  const { cache, tree, node, mounted, note, government } = parts;
  return {
    note,
    ended: mounted.ended,
    node,
    status: async () =>
      driveStatusOf(await node.status(), {
        pid: process.pid,
        mount: mounted.directory,
        driver: mounted.driver,
        requests: mounted.stats(),
        usage: cache.usage(),
        trouble: cache.trouble(),
        resealing: tree.resealing() ?? null,
      }),
    async flush(timeoutMs) {
      await tree.commit();
      await node.flush(timeoutMs);
    },
    async cache({ drop }) {
      const droppedBytes = drop ? await cache.dropClean() : 0;
      // What the kernel keeps of the files goes too: the next read comes from the peers.
      if (drop) await Promise.all(tree.knownInos().map((ino) => mounted.invalidateInode(ino)));
      const { limitBytes, usedBytes, dirtyBytes } = cache.usage();
      return { limitBytes, usedBytes, dirtyBytes, droppedBytes };
    },
    setCacheLimit: (bytes) => cache.setLimit(bytes),
    verifyPath: (path) => verifyPath(tree, node, path.map(nameFromText)),
    policyAt: (path) => government.at(path.map(nameFromText)),
    setPolicy: (path, name) => tree.setPolicy(path.map(nameFromText), name),
    govern: (texts) => government.govern(texts),
    unmount: (how) => mounted.unmount(how),
    [Symbol.asyncDispose]: () => (closing ??= owned.disposeAsync()),
  };
}

/** Fetches a drive's newest state from the peers into an empty cache, and tells which it is. */
export async function recoverDrive(
  needs: { readonly log: Log },
  config: DriveConfig,
): Promise<Recovered> {
  const { log } = needs;
  await using parts = new AsyncDisposableStack();
  const { transfer } = await openRooms(needs, config, parts);
  const recovered = await transfer?.recover();
  if (recovered === undefined) {
    throw new HiveError("NotFound", "recover", "no peer knows this drive");
  }
  const cache = parts.use(await openDriveCache(log, config));
  await cache.commit(recovered.root, 0);
  // What was just fetched needs no upload.
  await cache.endRound(recovered.root);
  return recovered;
}

/** Looks at a drive that nobody has mounted, and mends it if asked. */
export function checkDrive(
  needs: Pick<DriveCheckNeeds, "log" | "report" | "progress">,
  config: DriveConfig,
  how: Pick<DriveCheckOptions, "repair" | "giveUp">,
): Promise<FsckReport> {
  const { treeSecret } = driveKeysOf(config.driveSeed);
  const { cacheDirectory } = config;
  const places = { cacheDirectory, booksDirectory: join(config.directory, "books", "transfer") };
  return checkLocally({ ...needs, clock, random }, { ...how, ...places, treeSecret });
}

/** Only what crosses to another thread: no functions, and not the mount's options. */
function plainConfig(config: NodeConfig): NodeConfig {
  const { directory, peerSeed, driveSeed, deviceName, listen, bootstrap, household } = config;
  const { country, mdns, relay, upnp, networkKey, quotaBytes, strangerShare = 1 } = config;
  const { deadAfterMs, auditIntervalMs, policies } = config;
  const room = { quotaBytes, strangerShare };
  const who = { directory, peerSeed, driveSeed, deviceName, household, country };
  const how = { listen, bootstrap, mdns, ...room, deadAfterMs, auditIntervalMs };
  const told = Object.entries({ relay, upnp, networkKey, policies })
    .filter(([, value]) => value !== undefined);
  return { ...who, ...how, ...Object.fromEntries(told) };
}

const seed = threadSeed<NodeConfig>();
if (seed !== undefined) {
  const log = lineLog({ level: "info", write: toStandardError });
  const main = new Channel(seed.asked, {});
  const store = { source: readAside(remoteSource(main)), blocks: remoteBlocks(main) };
  // Questions asked meanwhile wait in the port.
  const node = await openNode({ log, ...store }, seed.config);
  new Channel(seed.asking, serveNode(node));
}
