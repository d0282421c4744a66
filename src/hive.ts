/**
 * The front door: builds every room from a config, introduces them to each other, and starts and
 * stops them in order. It decides nothing itself. `src/README.md` is the map.
 *
 * A drive's daemon has two threads. The main one answers the kernel: cache, tree, mount. The other
 * one is a node: peers, vault, transfer, agent (node/). A node without a drive (`hive node`, a
 * swarm's peer) runs on the main thread of its own process. What a node needs is loaded by threads
 * that run one: libp2p takes 25 MB of each, and half a second.
 */
import { existsSync, mkdirSync } from "node:fs";
import { extname, join } from "node:path";
import { cachePolicyStep } from "./agent/cache-policy.ts";
import { startLoop } from "./agent/loop.ts";
import { driveStatusOf } from "./agent/report.ts";
import { systemClock as clock } from "./base/clock.ts";
import type { FsckReport } from "./base/damages.ts";
import { HiveError } from "./base/errors.ts";
import type { GraftTable } from "./base/grafts.ts";
import { type Ino, type Name, nameFromText, parseName, rootIno } from "./base/ids.ts";
import type { Log } from "./base/log.ts";
import { memoryStep } from "./base/memory.ts";
import type { NodeDuties } from "./base/node.ts";
import { systemRandom as random } from "./base/random.ts";
import type { GiveQuestion, LinkQuestion, SharesView } from "./base/sharing.ts";
import type { BrakeRule, DriveBrake, DriveSnapshots, KeepRule } from "./base/snapshots.ts";
import { type TrafficOrders, noOrders } from "./base/traffic.ts";
import type { CacheReport, DriveStatus, PathPolicy, PolicyTexts } from "./base/views.ts";
import type { PinRow, PinStatus, ReclaimReport, VerifyReport } from "./base/views.ts";
import { LateCensus, serveCensus } from "./bridge/census.ts";
import type { Handlers } from "./bridge/channel.ts";
import { Government } from "./bridge/government.ts";
import { serveSharedRoots } from "./bridge/sharing.ts";
import { serveSource } from "./bridge/source.ts";
import { LateMerger, mergerOf, serveMerger } from "./bridge/merge.ts";
import { NetworkThread } from "./bridge/thread.ts";
import { type Cache, openCache } from "./cache/cache.ts";
import { bringBack } from "./check/bring-back.ts";
import { type DriveCheckNeeds, type DriveCheckOptions } from "./check/check.ts";
import { checkDrive as checkLocally } from "./check/check.ts";
import { verifyPath } from "./check/verify-path.ts";
import { driveKeysOf } from "./crypt/drive.ts";
import { peerKeysOf } from "./crypt/peer-key.ts";
import { openCoder } from "./erasure/erasure.ts";
import { Grafts } from "./graft/graft.ts";
import { type MountOptions, type Mounted, bestDriver, clearStaleMount } from "./mount/mount.ts";
import { mount } from "./mount/mount.ts";
import { type NodeConfig, type NodeNeeds, noTexts, plainConfig, privateDirectory }
  from "./node/config.ts";
import { type PolicyDescription, describePolicy } from "./placement/describe.ts";
import { SharedFolders } from "./shared/folders.ts";
import type { Recovered } from "./transfer/recover.ts";
import { deviceFor } from "./tree/devices.ts";
import { type Tree, openTree } from "./tree/tree.ts";

export { type Secrets, encodeKeyFile, keyFileNeedsPassphrase } from "./crypt/keyfile.ts";
export { openKeyFile } from "./crypt/keyfile.ts";
export { seedOfWords, wordsOfSeed } from "./crypt/words.ts";
export { type Done } from "./check/check.ts";
export { type Dashboard, serveDashboard } from "./web/dashboard.ts";
export { parseMountOptions } from "./mount/mount.ts";
export { networkKeyBytes, parseInvite } from "./peers/invite.ts";
export { isLink, linkNeedsPassphrase } from "./sharing/link.ts";
export { describePolicy, openCoder, peerKeysOf };
export type { CacheReport, DriveStatus, NodeConfig, NodeDuties, PolicyDescription, VerifyReport };

export interface DriveConfig extends NodeConfig {
  readonly driveSeed: Uint8Array;
  readonly cacheDirectory: string;
  readonly cacheLimitBytes: number;
  /** Which moments are kept; those that are, and no more, if not told. */
  readonly keep?: KeepRule;
  /** Which losses are too many at once; none if not told. */
  readonly brake?: BrakeRule | undefined;
  readonly mount: Pick<MountOptions, "directory"> & Partial<MountOptions>;
}

export type ShareWish = Pick<GiveQuestion, "person" | "expiresAtMs">;
export type LinkWish = Pick<LinkQuestion, "passphrase" | "expiresAtMs">;

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
  /** Gives back the room of what was deleted, here and at the peers; TimedOut when it is late. */
  reclaim(timeoutMs: number): Promise<ReclaimReport>;
  cache(options: { readonly drop: boolean }): Promise<CacheReport>;
  setCacheLimit(bytes: number): Promise<void>;
  /** Keeps a file or folder here from now on, or leaves it out again. */
  pin(path: readonly string[], isKept: boolean): Promise<void>;
  /** Until all that is pinned is here, or something keeps it from coming; null without pins. */
  pinsSettled(told: (status: PinStatus) => void): Promise<PinStatus | null>;
  pins(): readonly PinRow[];
  /** Every chunk of the files at or below the path, fetched from its holders. */
  verifyPath(path: readonly string[]): Promise<VerifyReport>;
  readonly snapshots: DriveSnapshots;
  readonly brake: DriveBrake;
  /** The policy that a path goes by. */
  policyAt(path: readonly string[]): Promise<PathPolicy>;
  /** Gives a folder a policy of its own, by its name; null for that of the folder above. */
  setPolicy(path: readonly string[], name: string | null): Promise<void>;
  /** The user's policies say something else now. */
  govern(texts: PolicyTexts): Promise<void>;
  /** Lets a person read a folder of the drive; the grant for her. */
  share(path: readonly string[], asked: ShareWish): Promise<string>;
  /** Lets whoever has the link read a folder of the drive. */
  link(path: readonly string[], asked: LinkWish): Promise<string>;
  /** What is shared, by this drive and with it. */
  shares(): Promise<SharesView>;
  /** Shuts a person out of a folder of the drive. */
  revoke(path: readonly string[], person: string): Promise<void>;
  /** The user wants so much to go over the line now, or nothing. */
  limit(orders: TrafficOrders): Promise<void>;
  /** So much of this machine is for others from now on. */
  setQuota(bytes: number): Promise<void>;
  unmount(options: { readonly lazy: boolean }): Promise<void>;
}

/** Peers and vault, and with a drive's seed transfer and agent too. */
export async function openNode(needs: NodeNeeds, config: NodeConfig): Promise<NodeDuties> {
  const node = await import("./node/node.ts");
  return node.openNode(needs, config);
}

/** Opens the local store and the tree, starts the network's thread, and mounts. */
export async function openDrive(needs: { readonly log: Log }, config: DriveConfig): Promise<Drive> {
  const { log } = needs;
  await using parts = new AsyncDisposableStack();
  // A node's books are made by the first mount, and so is the local store.
  const isNew = !existsSync(join(config.directory, "books"));
  const cache = parts.use(await openDriveCache(log, config));
  const government = new Government(config.policies ?? noTexts);
  const census = new LateCensus();
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const shared = new SharedFolders({ store: cache, clock, random, log }, owner);
  const merger = new LateMerger();
  const served = {
    ...serveSource(cache, government), ...serveCensus(census), ...serveSharedRoots(shared),
    ...serveMerger(merger),
  };
  const told = { traffic: config.traffic ?? noOrders, quotaBytes: config.quotaBytes };
  const { node } = parts.use(await startNetwork(log, () => ({ ...config, ...told }), served));
  cache.setFetcher(node);
  parts.use(cache.onDirty(() => void node.wake().catch(() => {})));
  const { treeSecret } = driveKeysOf(config.driveSeed);
  const device = deviceFor(peerKeysOf(config.peerSeed).peer, config.deviceName);
  const { readOnly = false } = config.mount;
  const note = await bringBack(cache, node, { clock, log, isNew });
  const { keep, brake } = config;
  const rules = { ...(keep && { keep }), ...(brake && { brake }) };
  const options = { treeSecret, readOnly, device, ...owner, ...rules };
  const policies = (name: string) => government.textOf(name);
  const pins = { store: cache.pins, mayKeep: () => node.mayCache() };
  const tree = await openTree({ store: cache, clock, random, log, policies, pins }, options);
  parts.defer(() => tree.close());
  const memory = memoryStep({ clock, forget: () => tree.forgetOpened() });
  const dropClean = () => cache.dropClean({ pinned: true });
  const policy = cachePolicyStep({ clock, mayCache: () => node.mayCache(), dropClean });
  const { committer, collector, resealer, renewer } = tree;
  const ofTree = [committer, collector, resealer, renewer, tree.pins?.step() ?? []].flat();
  const steps = [...ofTree, cache.step, memory, policy];
  const loop = startLoop(steps, { clock, log });
  parts.defer(() => loop.stop());
  // Writers may wait for room: there may be garbage.
  parts.use(cache.onDirty(() => loop.wake()));
  await government.begin(tree, node);
  await keepSecrets(tree, node, shared);
  census.begin(tree);
  const root = new Map([[nameFromText("Shared"), { point: shared, listed: true }]]);
  const everywhere = new Map([[parseName(".snapshots"), tree.past.pointAt]]);
  const table: GraftTable = { root, everywhere };
  const now = () => clock.now();
  const grafts = parts.use(new Grafts({ base: tree, table, log, now }, owner));
  const mounted = parts.use(await mountTree(grafts, log, config));
  grafts.begin(mounted);
  merger.begin(mergerOf(tree, mounted));
  const wake = () => loop.wake();
  return driveOf({ cache, tree, node, mounted, note, government, told, wake }, parts.move());
}

/** A thread that has to be started again is told what holds then. */
function startNetwork(log: Log, config: () => DriveConfig, handlers: Handlers) {
  // Compiled or not, the thread's file is beside this one.
  const file = new URL(`./node/thread${extname(import.meta.url)}`, import.meta.url);
  const told = () => plainConfig(config());
  return NetworkThread.start({ file, config: told, handlers, clock, log });
}

function openDriveCache(log: Log, config: DriveConfig): Promise<Cache> {
  const directory = privateDirectory(config.cacheDirectory);
  const options = { limitBytes: config.cacheLimitBytes };
  return openCache({ directory, clock, log, fetcher: undefined }, options);
}

async function mountTree(tree: Grafts, log: Log, config: DriveConfig): Promise<Mounted> {
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
  /** What the node was told last. */
  readonly told: { traffic: TrafficOrders; quotaBytes: number };
  /** The drive's own steps have something to do. */
  readonly wake: () => void;
}

function driveOf(parts: DriveParts, owned: AsyncDisposableStack): Drive {
  // Whoever closes it second waits as long as the first.
  let closing: Promise<void> | undefined;
  const { cache, tree, node, mounted, note, government, told, wake } = parts;
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
        pins: tree.pins?.status() ?? null,
        brake: tree.brake.status(),
      }),
    async flush(timeoutMs) {
      await tree.commit();
      refuseBraked(tree);
      await node.flush(timeoutMs);
    },
    async reclaim(timeoutMs) {
      await tree.commit();
      refuseBraked(tree);
      await node.flush(timeoutMs);
      return node.reclaim(timeoutMs);
    },
    async cache({ drop }) {
      const droppedBytes = drop ? await cache.dropClean() : 0;
      // What the kernel keeps of the files goes too: the next read comes from the peers.
      if (drop) await Promise.all(tree.knownInos().map((ino) => mounted.invalidateInode(ino)));
      const { limitBytes, usedBytes, dirtyBytes } = cache.usage();
      const { pinnedBytes } = cache.pins.room();
      return { limitBytes, usedBytes, dirtyBytes, pinnedBytes, droppedBytes };
    },
    async pin(path, isKept) {
      await tree.pins?.set(path.map(nameFromText), isKept);
      wake();
    },
    pinsSettled: async (heard) => await tree.pins?.settled(heard) ?? null,
    pins: () => tree.pins?.rows() ?? [],
    async setCacheLimit(bytes) {
      await cache.setLimit(bytes);
      tree.pins?.again();
      wake();
    },
    verifyPath: (path) => verifyPath(tree, node, path.map(nameFromText)),
    snapshots: snapshotsOf(tree, mounted),
    brake: brakeOf(tree, mounted),
    policyAt: (path) => government.at(path.map(nameFromText)),
    setPolicy: (path, name) => tree.setPolicy(path.map(nameFromText), name),
    govern: (texts) => government.govern(texts),
    ...sharingOf(tree, node),
    async limit(orders) {
      told.traffic = orders;
      await node.limit(orders);
    },
    async setQuota(quotaBytes) {
      told.quotaBytes = quotaBytes;
      await node.setQuota(quotaBytes);
    },
    unmount: (how) => mounted.unmount(how),
    [Symbol.asyncDispose]: () => (closing ??= owned.disposeAsync()),
  };
}

/** A folder goes by its number: it may be renamed at any time. */
function sharingOf(
  tree: Tree, { sharing }: NodeDuties,
): Pick<Drive, "share" | "link" | "revoke" | "shares"> {
  const shared = async (path: readonly string[]) => {
    const names = path.map(nameFromText);
    const ino = await folderAt(tree, names);
    tree.share(ino);
    return { path: names, ino };
  };
  return {
    shares: async () => ({ ...await sharing.list(), renewing: tree.renewing() ?? null }),
    share: async (path, asked) => sharing.give({ ...asked, ...await shared(path) }),
    link: async (path, asked) => sharing.link({ ...asked, ...await shared(path) }),
    async revoke(path, person) {
      const names = path.map(nameFromText);
      const ino = await folderAt(tree, names).catch(() => undefined);
      // Before holders hear of it, so that nothing of what is written since is under old secrets.
      const renewing = ino === undefined ? undefined : tree.renew(ino);
      await sharing.revoke({ path: names, ino, person });
      void renewing?.then(() => sharing.renewed(names)).catch(() => undefined);
    },
  };
}

/** Goes on with the secrets of those who were shut out, in an earlier life too. */
async function keepSecrets(
  tree: Tree, { sharing }: NodeDuties, shared: SharedFolders,
): Promise<void> {
  shared.renew = async (path) => {
    // Wherever the folder is by now, it is below the root.
    const ino = await folderAt(tree, path).catch(() => rootIno);
    void tree.renew(ino).then(() => sharing.renewed(path)).catch(() => undefined);
  };
  for (const ino of await sharing.folders()) tree.share(ino);
  for (const path of await sharing.renewing()) await shared.renew(path);
}

/** The number of a folder of the drive. */
async function folderAt(tree: Tree, path: readonly Name[]): Promise<Ino> {
  const ino = await tree.walk(path);
  const handle = await tree.opendir(ino);
  await tree.releasedir(handle);
  return ino;
}

/** What is restored did not come through the kernel: it is told of each change. */
function snapshotsOf({ past }: Tree, mounted: Mounted): DriveSnapshots {
  const names = (path: readonly string[]) => path.map(nameFromText);
  return {
    list: (path) => past.list(names(path)),
    create: () => past.create(),
    remove: (name) => past.remove(name),
    compare: (path, moments) => past.compare(names(path), moments),
    restore: (name, path, { exact, to }) => past.restore(name, names(path), {
      exact,
      ...(to === undefined ? {} : { to: names(to) }),
      changed: changesTo(mounted),
    }),
    keep: (rule) => past.keep(rule),
  };
}

function brakeOf({ brake, past }: Tree, mounted: Mounted): DriveBrake {
  return {
    status: () => brake.status(),
    goOn: () => brake.goOn(),
    undo: () => brake.undo(past, changesTo(mounted)),
  };
}

function changesTo(mounted: Mounted) {
  return (parent: Ino, name?: Name): Promise<void> => name === undefined
    ? mounted.invalidateInode(parent) : mounted.invalidateEntry(parent, name);
}

function refuseBraked({ brake }: Tree): void {
  if (brake.isOn) throw new HiveError("Unavailable", "flush", "held back: see hive brake");
}

/** Fetches a drive's newest state from the peers into an empty cache, and tells which it is. */
export async function recoverDrive(
  needs: { readonly log: Log },
  config: DriveConfig,
): Promise<Recovered> {
  const { log } = needs;
  const { askRecovered } = await import("./node/node.ts");
  const recovered = await askRecovered(needs, config);
  if (recovered === undefined) {
    throw new HiveError("NotFound", "recover", "no peer knows this drive");
  }
  await using cache = await openDriveCache(log, config);
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
