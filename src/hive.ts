/**
 * The front door: builds every room from a config, introduces them to each other, and starts and
 * stops them in order. It decides nothing itself. `src/README.md` is the map.
 *
 * A drive's daemon has two threads. The main one answers the kernel: cache, tree, mount. The other
 * one is a node: peers, vault, transfer, agent (node/). A node without a drive (`hive node`, a
 * swarm's peer) runs on the main thread of its own process. What a node needs is loaded by threads
 * that run one: libp2p takes 25 MB of each, and half a second.
 */
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { type Loop, startLoop } from "./agent/loop.ts";
import { cachePolicyStep } from "./agent/policy/cache-policy.ts";
import { Refusal } from "./agent/policy/refusal.ts";
import { systemClock as clock } from "./base/clock.ts";
import type { FsckReport } from "./base/damages.ts";
import { HiveError } from "./base/errors.ts";
import { type GraftTable, pastNames, sharedName } from "./base/grafts.ts";
import { type OwnerId, nameFromText, parseName } from "./base/ids.ts";
import type { Log } from "./base/log.ts";
import { growthStep, memoryStep } from "./base/machine/memory.ts";
import type { NodeDuties } from "./base/node.ts";
import { systemRandom as random } from "./base/random.ts";
import type { BrakeRule, KeepRule } from "./base/snapshots.ts";
import type { Step } from "./base/step.ts";
import { noOrders } from "./base/traffic.ts";
import type { CacheReport, DriveStatus, VerifyReport } from "./base/views/drive.ts";
import type { Handlers } from "./bridge/channel.ts";
import { Government } from "./bridge/government.ts";
import { serveGuests } from "./bridge/guest-source.ts";
import { LateMerger, mergerOf, serveMerger } from "./bridge/merge.ts";
import { serveSharedRoots } from "./bridge/sharing.ts";
import { serveSource } from "./bridge/source.ts";
import { NetworkThread } from "./bridge/thread.ts";
import { LateTree, serveTree } from "./bridge/tree.ts";
import { type Cache, openCache, readLife } from "./cache/cache.ts";
import { beginStore } from "./check/bring-back.ts";
import { checkAll } from "./check/check-all.ts";
import { type DriveCheckNeeds, type DriveCheckOptions } from "./check/check.ts";
import { Recount } from "./check/recount.ts";
import { peerKeysOf } from "./crypt/ciphers/peer-key.ts";
import { driveKeysIn } from "./crypt/devices/added-device.ts";
import type { DriveKeys } from "./crypt/drive/drive.ts";
import { type Drive, driveOf } from "./drive/drive.ts";
import { Epochs } from "./drive/epochs.ts";
import { GuestStores, guestStoreAt } from "./drive/guest-stores.ts";
import { endWriting, refuseIfRemoved } from "./drive/removal.ts";
import { keepSecrets, takeGuestsIn } from "./drive/sharing.ts";
import { DriveTies } from "./drive/ties.ts";
import { openCoder } from "./erasure/erasure.ts";
import { Grafts } from "./graft/graft.ts";
import { type MountOptions, type Mounted, bestDriver, clearStaleMount } from "./mount/mount.ts";
import { makeMountPoint, mount, prepareMount as prepareMountAt } from "./mount/mount.ts";
import { type NodeConfig, type NodeNeeds, noTexts, plainConfig, privateDirectory }
  from "./node/config.ts";
import { writtenStores } from "./node/written-stores.ts";
import { type PolicyDescription, describePolicy } from "./placement/telling/describe.ts";
import { SharedFolders } from "./shared/folders.ts";
import type { Recovered } from "./transfer/heads/recover.ts";
import { deviceFor } from "./tree/state/devices.ts";
import { type Tree, type TreeOptions, openTree } from "./tree/tree.ts";
import type { Dashboard, DashboardNeeds } from "./web/dashboard.ts";

export { type Secrets, encodeKeyFile, keyFileNeedsPassphrase } from "./crypt/drive/keyfile.ts";
export { openKeyFile } from "./crypt/drive/keyfile.ts";
export { seedOfWords, wordsOfSeed } from "./crypt/drive/words.ts";
export { type Done } from "./check/check.ts";
export { bestDriver, clearStaleMount, hasDriver, parseMountOptions } from "./mount/mount.ts";
export { refuseOwnInvite } from "./peers/joining.ts";
export { networkKeyBytes, parseInvite } from "./peers/wire/invite.ts";
export { isLink, linkNeedsPassphrase } from "./sharing/records/link.ts";
export { describePolicy, openCoder, peerKeysOf };
export type { LinkWish, RevokeWish, Revoked, ShareWish } from "./drive/sharing.ts";
export type { CacheReport, Dashboard, Drive, DriveStatus, NodeConfig, NodeDuties };
export type { PolicyDescription, VerifyReport };

/** With the drive's seed, or with what an added device was given. */
export interface DriveConfig extends NodeConfig {
  readonly cacheDirectory: string;
  readonly cacheLimitBytes: number;
  /** This machine can miss nothing of it yet; if not told, that is so where there are no books. */
  readonly isNew?: boolean;
  /** Which moments are kept; those that are, and no more, if not told. */
  readonly keep?: KeepRule;
  /** Which losses are too many at once; none if not told. */
  readonly brake?: BrakeRule | undefined;
  readonly mount: Pick<MountOptions, "directory"> & Partial<MountOptions>;
}

/** Peers and vault, and with a drive's seed transfer and agent too. */
export async function openNode(needs: NodeNeeds, config: NodeConfig): Promise<NodeDuties> {
  const node = await import("./node/node.ts");
  return node.openNode(needs, config);
}

/** The dashboard, and with it all of HTTP, which few drives are asked for. */
export async function serveDashboard(
  needs: DashboardNeeds, options: { readonly port: number },
): Promise<Dashboard> {
  const dashboard = await import("./web/dashboard.ts");
  return dashboard.serveDashboard(needs, options);
}

/** Opens the local store and the tree, starts the network's thread, and mounts. */
export async function openDrive(needs: { readonly log: Log }, config: DriveConfig): Promise<Drive> {
  const { log } = needs;
  await using parts = new AsyncDisposableStack();
  // A node's books are made by the first mount, and so is the local store.
  const { isNew = !existsSync(join(config.directory, "books")) } = config;
  const owner: User = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const local = await openLocal(parts, { log, config, owner });
  const { cache, government, shared, ties, epochs } = local;
  const { traffic = noOrders, quotaBytes } = config;
  const lastLife = await readLife(config.cacheDirectory);
  const storeView = { life: lastLife, isPublished: cache.isPublished };
  const told = { traffic, quotaBytes, storeView };
  const begun = (): DriveConfig => {
    ties.again();
    return { ...config, ...told };
  };
  const { node } = parts.use(await startNetwork(log, begun, handlersOf(local)));
  const { readOnly = false } = config.mount;
  await refuseIfRemoved(node, { readOnly });
  cache.setFetcher(node);
  parts.use(cache.onDirty(() => void node.wake().catch(() => {})));
  local.stores.begin(node);
  local.recount.begin(node);
  const { treeSecret } = driveKeysFor(config);
  const situation = { clock, log, isNew, directory: config.cacheDirectory, treeSecret };
  const { note, isBack, life } = await beginStore(cache, node, situation);
  storeView.life = life;
  const around = { log, config, cache, node, government, ties };
  const self = deviceFor(peerKeysOf(config.peerSeed).peer, config.deviceName);
  const device = { ...self, isBack };
  const opened = await openTreeAndLoop(parts, around, { treeSecret, readOnly, device, ...owner });
  const { tree, loop, refusal } = opened;
  await introduce(tree, node, local);
  const grafts = parts.use(graftsOver(tree, shared, { log, owner }));
  const mounted = parts.use(await mountTree(grafts, log, config));
  grafts.begin(mounted);
  local.late.merger.begin(mergerOf(tree.devices, mounted, node));
  takeGuestsIn(tree, shared, mounted);
  void epochs.removed.then((atMs) => endWriting({ tree, mounted, log }, atMs)).catch(() => {});
  const wake = () => loop.wake();
  const known = { cache, tree, node, mounted, note, government, refusal, shared, told, wake };
  return driveOf(known, parts.move());
}

type Local = Awaited<ReturnType<typeof openLocal>>;

/** What is there before node and tree are: the store, folders of others, and who waits for both. */
async function openLocal(
  parts: AsyncDisposableStack, { log, config, owner }: {
    readonly log: Log; readonly config: DriveConfig; readonly owner: User;
  },
) {
  const cache = parts.use(await openDriveCache(log, config));
  const government = new Government(config.policies ?? noTexts);
  const { stores, shared } = parts.use(foldersOfOthers(cache, { log, config, owner }));
  const late = { tree: new LateTree(), merger: new LateMerger() };
  const ties = new DriveTies({ clock, log });
  const recount = new Recount({ cache, log });
  return { cache, government, stores, shared, late, epochs: new Epochs(), ties, recount };
}

/** What the node asks of this side. */
function handlersOf({ cache, government, stores, shared, late, epochs, recount }: Local): Handlers {
  return {
    ...serveSource(cache, government), ...serveSharedRoots(shared),
    ...serveTree(late.tree), ...serveMerger(late.merger),
    epoch: () => epochs.changed(),
    recount: () => recount.run(),
    ...serveGuests((writer) => stores.get(writer), (...asked) => shared.census(...asked)),
  };
}

/** Before anybody writes: whoever keeps secrets, or tells of the tree, has it from now on. */
async function introduce(
  tree: Tree, node: NodeDuties, { government, shared, ties, epochs, late }: Local,
): Promise<void> {
  await government.begin(tree, node);
  await keepSecrets(tree, node, { shared, ties });
  await epochs.begin({ tree, node });
  late.tree.begin(tree);
}

/** Whoever mounts it, by the kernel's numbers. */
interface User {
  readonly uid: number;
  readonly gid: number;
}

interface Around {
  readonly log: Log;
  readonly config: DriveConfig;
  readonly cache: Cache;
  readonly node: NodeDuties;
  readonly government: Government;
  readonly ties: DriveTies;
}

/** The tree over the store, and the loop of what goes on beside the programs that use it. */
async function openTreeAndLoop(
  parts: AsyncDisposableStack, { log, config, cache, node, government, ties }: Around,
  known: User & Pick<TreeOptions, "treeSecret" | "readOnly" | "device">,
): Promise<{ readonly tree: Tree; readonly loop: Loop; readonly refusal: Refusal }> {
  const { keep, brake } = config;
  const rules = { ...(keep && { keep }), ...(brake && { brake }) };
  const policies = (name: string) => government.textOf(name);
  const mayCache = () => node.mayCache();
  const pins = { store: cache.pins, mayKeep: mayCache };
  const needs = { store: cache, clock, random, log, policies, pins };
  const tree = await openTree(needs, { ...known, ...rules });
  parts.defer(() => tree.close());
  const memory = memoryStep({ clock, forget: () => tree.forgetOpened() });
  const dropClean = () => cache.dropClean({ pinned: true });
  const policy = cachePolicyStep({ clock, mayCache, dropClean });
  const judge = () => government.refusals();
  const refusal = new Refusal({ clock, log, judge, refuse: (names) => tree.refuse(names) });
  const { committer, bringer, collector, resealer, renewer } = tree;
  const pinner = tree.pins?.step() ?? [];
  const ofTree = [committer, bringer, collector, resealer, renewer, pinner].flat();
  const steps = [...ofTree, cache.step, memory, growthStep(), policy, refusal, ties];
  const loop = startLoop(steps, { clock, log });
  parts.defer(() => loop.stop());
  // Writers may wait for room: there may be garbage.
  parts.use(cache.onDirty(() => loop.wake()));
  return { tree, loop, refusal };
}

/** The drive with the past of every folder in it, and folders of others in one. */
function graftsOver(
  tree: Tree, shared: SharedFolders,
  { log, owner }: { readonly log: Log; readonly owner: User },
): Grafts {
  const root = new Map([[nameFromText(sharedName), { point: shared, listed: true }]]);
  const everywhere = new Map([
    [parseName(pastNames.snapshots), tree.past.pointAt],
    [parseName(pastNames.trash), tree.trash.pointAt],
  ]);
  const table: GraftTable = { root, everywhere };
  return new Grafts({ base: tree, table, log, now: () => clock.now() }, owner);
}

/** Those that may be written have stores of their own, which end after the mount. */
function foldersOfOthers(
  store: Cache, { log, config, owner }: {
    readonly log: Log; readonly config: DriveConfig; readonly owner: User;
  },
) {
  const stores = new GuestStores(config, log);
  const openStore = (writer: OwnerId) => stores.open(writer);
  const hasStore = (writer: OwnerId) => stores.has(writer);
  const run = (steps: readonly Step[]): AsyncDisposable => {
    const loop = startLoop(steps, { clock, log });
    return { [Symbol.asyncDispose]: () => loop.stop() };
  };
  const shared = new SharedFolders({ store, clock, random, log, openStore, hasStore, run }, owner);
  return { stores, shared, [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose]() };
}

function driveKeysFor(config: DriveConfig): DriveKeys {
  const keys = driveKeysIn(config);
  if (keys !== undefined) return keys;
  throw new HiveError("NotFound", "drive.open", "this machine has no drive");
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
  makeMountPoint(directory);
  return mount({ tree, log, clock }, mountOptionsOf(config.mount));
}

function mountOptionsOf(wish: DriveConfig["mount"]): MountOptions {
  const plain = { driver: bestDriver(), allowOther: false, readOnly: false, fsName: "hive" };
  return { ...plain, ...wish };
}

/** Before a drive is made to be mounted so: fails where it cannot be. */
export function prepareMount(wish: DriveConfig["mount"]): Promise<void> {
  return prepareMountAt(mountOptionsOf(wish));
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
    throw new HiveError("NotFound", "recover", "no peer that was met knows this drive: are " +
      "these its words, and is --peer the address of somebody that it is with?");
  }
  await using cache = await openDriveCache(log, config);
  await cache.commit(recovered.root, 0);
  // What was just fetched needs no upload.
  await cache.endRound(recovered.root);
  return recovered;
}

/** Shows a code, and waits until a device of some drive gives this one what it takes to have it. */
export async function addDevice(
  needs: { readonly log: Log; readonly show: (code: string) => void }, config: NodeConfig,
): Promise<Uint8Array> {
  const { Newcomer } = await import("./node/pairing.ts");
  const self = { peer: peerKeysOf(config.peerSeed).peer, name: config.deviceName };
  const newcomer = new Newcomer({ clock, random }, self);
  const node = await openNode({ log: needs.log, newcomer }, config);
  try {
    needs.show(newcomer.code);
    return await newcomer.given();
  } finally {
    await node.close();
  }
}

/**
 * Looks at a drive that nobody has mounted, and at what was written in folders of others; mends
 * them if asked.
 */
export async function checkDrive(
  needs: Pick<DriveCheckNeeds, "log" | "report" | "progress">,
  config: DriveConfig,
  how: Pick<DriveCheckOptions, "repair" | "giveUp">,
): Promise<FsckReport> {
  const { treeSecret } = driveKeysFor(config);
  const { cacheDirectory } = config;
  const booksDirectory = join(config.directory, "books", "transfer");
  const drive = { cacheDirectory, booksDirectory, treeSecret };
  const folders = (await writtenStores(config)).map(({ writer, ...store }) => {
    return { ...store, cacheDirectory: guestStoreAt(cacheDirectory, writer) };
  });
  return checkAll({ ...needs, clock, random }, { drive, folders }, how);
}
