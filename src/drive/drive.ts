/**
 * A mounted drive, as whoever mounted it sees it: each wish goes to the room that fulfils it, or to
 * several in their order. It opens and closes nothing but what it was given.
 */
import type { Refusal } from "../agent/policy/refusal.ts";
import { driveStatusOf } from "../agent/report.ts";
import { nameFromText } from "../base/ids.ts";
import type { NodeDuties } from "../base/node.ts";
import type { DriveBrake, DriveSnapshots } from "../base/snapshots.ts";
import type { TrafficOrders } from "../base/traffic.ts";
import type { DriveStatus, PathVerifyReport, ReclaimReport } from "../base/views/drive.ts";
import type { PathPolicy, PolicyTexts } from "../base/views/policies.ts";
import type { Government } from "../bridge/government.ts";
import type { Cache } from "../cache/cache.ts";
import { type Mounted, isMounted } from "../mount/mount.ts";
import type { SharedFolders } from "../shared/folders.ts";
import type { Tree } from "../tree/tree.ts";
import { type KeptHere, keptHere } from "./kept-here.ts";
import { commitMost, lackingFilesOf } from "./lacking.ts";
import { brakeOf, refuseBraked, snapshotsOf } from "./past.ts";
import { type DriveSharing, sharingOf } from "./sharing.ts";
import { verifyPath } from "./verify.ts";

/** A mounted drive. */
export interface Drive extends DriveSharing, KeptHere, AsyncDisposable {
  /** Resolves when the mount is gone, by whomever. */
  readonly ended: Promise<void>;
  readonly node: NodeDuties;
  /** What whoever mounts it should hear: of a local store that was gone. */
  readonly note: string | undefined;
  status(): Promise<DriveStatus>;
  /**
   * Until everything written so far is on peers; TimedOut otherwise. What they do not give the rest
   * of makes it fail once all else is there.
   */
  flush(timeoutMs: number): Promise<void>;
  /** Gives back the room of what was deleted, here and at the peers; TimedOut when it is late. */
  reclaim(timeoutMs: number): Promise<ReclaimReport>;
  /** Asks all holders of what stands at the path for proofs; `deep` for many of each shard. */
  verifyPath(
    path: readonly string[], options: { readonly deep: boolean },
  ): Promise<PathVerifyReport>;
  readonly snapshots: DriveSnapshots;
  readonly brake: DriveBrake;
  /** The policy that a path goes by. */
  policyAt(path: readonly string[]): Promise<PathPolicy>;
  /** Gives a folder a policy of its own, by its name; null for that of the folder above. */
  setPolicy(path: readonly string[], name: string | null): Promise<void>;
  /** The user's policies say something else now. */
  govern(texts: PolicyTexts): Promise<void>;
  /** The user wants so much to go over the line now, or nothing. */
  limit(orders: TrafficOrders): Promise<void>;
  /** So much of this machine is for others from now on. */
  setQuota(bytes: number): Promise<void>;
  unmount(options: { readonly lazy: boolean }): Promise<void>;
}

export interface DriveParts {
  readonly cache: Cache;
  readonly tree: Tree;
  readonly node: NodeDuties;
  readonly mounted: Mounted;
  readonly note: string | undefined;
  readonly government: Government;
  /** What nothing more is taken of. */
  readonly refusal: Pick<Refusal, "refused">;
  readonly shared: Pick<SharedFolders, "commitMost" | "lackingFiles">;
  /** What the node was told last. */
  readonly told: { traffic: TrafficOrders; quotaBytes: number };
  /** The drive's own steps have something to do. */
  readonly wake: () => void;
}

export function driveOf(parts: DriveParts, owned: AsyncDisposableStack): Drive {
  // Whoever closes it second waits as long as the first.
  let closing: Promise<void> | undefined;
  const { cache, tree, node, mounted, note, government, told } = parts;
  return {
    note,
    ended: mounted.ended,
    node,
    status: async () =>
      driveStatusOf(await node.status(), {
        pid: process.pid,
        mount: mounted.directory,
        isMounted: await isMounted(mounted.directory),
        driver: mounted.driver,
        requests: mounted.stats(),
        usage: cache.usage(),
        trouble: cache.trouble(),
        resealing: tree.resealing() ?? null,
        lackingFiles: lackingFilesOf(parts),
        pins: tree.pins?.status() ?? null,
        brake: tree.brake.status(),
        refused: parts.refusal.refused,
      }),
    async flush(timeoutMs) {
      const failure = await commitMost(parts);
      refuseBraked(tree);
      await node.flush(timeoutMs);
      if (failure !== undefined) throw failure;
    },
    async reclaim(timeoutMs) {
      await tree.syncAll();
      refuseBraked(tree);
      await node.flush(timeoutMs);
      return node.reclaim(timeoutMs);
    },
    ...keptHere(parts),
    verifyPath: (path, how) => verifyPath(parts, path.map(nameFromText), how),
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
