/**
 * Sharing as a drive does it: the tree knows folders by number and renews their secrets, the node
 * tells readers and holders. Here it is seen to that they do so in the right order.
 */
import { HiveError, isFault } from "../base/errors.ts";
import type { GraftNotices } from "../base/grafts.ts";
import { type Ino, type Name, nameFromText, nameToText, rootIno } from "../base/ids.ts";
import type { NodeDuties } from "../base/node.ts";
import type {
  ExpiredShare, GiveQuestion, GroupQuestion, LinkQuestion, Loss, SealedEra, SharingDuties,
  Withdrew,
} from "../base/sharing.ts";
import type { SharesView } from "../base/views/sharing.ts";
import type { SharedFolders } from "../shared/folders.ts";
import type { Tree } from "../tree/tree.ts";
import type { DriveTies } from "./ties.ts";

export type ShareWish = Pick<GiveQuestion, "who" | "expiresAtMs" | "gives">;
export interface RevokeWish {
  /** Snapshots that have something of the folder go. */
  readonly dropsSnapshots: boolean;
}
/** What a revocation does, and what it does not reach. */
export interface Revoked {
  /** Somebody could read the folder, and cannot any more. */
  readonly couldRead: boolean;
  /** What else is shared with the same one, and holds it. */
  readonly stillBy: readonly string[];
  /** Snapshots that have something at that path; null where they are not here to be looked at. */
  readonly snapshots: number | null;
}
export type LinkWish = Pick<LinkQuestion, "passphrase" | "expiresAtMs">;

export interface DriveSharing {
  /** Lets a person or a group read a folder of the drive; the grant for her, none for a group. */
  share(path: readonly string[], asked: ShareWish): Promise<string | null>;
  /** Lets whoever has the link read a folder of the drive. */
  link(path: readonly string[], asked: LinkWish): Promise<string>;
  /** What is shared, by this drive and with it. */
  shares(): Promise<SharesView>;
  /** Shuts a person or a group out of a folder of the drive. */
  revoke(path: readonly string[], who: string, wish: RevokeWish): Promise<Revoked>;
  /** Shuts people out of all that they read as those who are in a group. */
  leaveGroup(asked: GroupQuestion): Promise<void>;
}

/** A folder goes by its number: it may be renamed at any time. */
export function sharingOf(tree: Tree, { sharing }: NodeDuties): DriveSharing {
  const shared = async (path: readonly string[]) => {
    const names = path.map(nameFromText);
    const ino = await folderAt(tree, names);
    tree.share(ino);
    return { path: names, ino };
  };
  return {
    shares: async () => withSnapshots(tree, await sharing.list()),
    share: async (path, asked) => sharing.give({ ...asked, ...await shared(path) }),
    link: async (path, asked) => sharing.link({ ...asked, ...await shared(path) }),
    async revoke(path, who, wish) {
      const names = path.map(nameFromText);
      const ino = await folderAt(tree, names).catch(() => undefined);
      const losses = await sharing.losses({ ino, who });
      // Once this is under way, some may be let go of.
      const kept = await tree.past.list(path).catch(() => undefined);
      await withdrawAll({ tree, sharing }, losses.map((loss) => ({ ...loss, path: names })), wish);
      await sharing.revoke({ path: names, ino, who });
      tree.guests.refuseBegun();
      const stillBy = holding(path, who, await sharing.list());
      return { couldRead: losses.length > 0, stillBy, snapshots: kept?.length ?? null };
    },
    async leaveGroup(asked) {
      await withdrawAll({ tree, sharing }, await sharing.losses(asked));
      await sharing.leave(asked);
      tree.guests.refuseBegun();
    },
  };
}

function holding(path: readonly string[], who: string, { given }: SharesView): readonly string[] {
  const below = `/${path.join("/")}/`;
  const those = given.filter(({ path: above, with: readers, groups }) => {
    const isAbove = below.startsWith(above === "/" ? above : `${above}/`);
    return isAbove && [...readers, ...groups].some(({ name }) => name === who);
  });
  return those.map(({ path: above }) => above);
}

/** Before holders hear of it, so that nothing of what is written since is under old keys. */
async function withdrawAll(
  parts: Parts, losses: readonly Loss[], { dropsSnapshots } = { dropsSnapshots: false },
): Promise<void> {
  for (const { ino, path, from } of losses) {
    const there = await folderAt(parts.tree, path).catch(() => undefined);
    // Wherever it went since, it is below the root.
    const dropping = dropsSnapshots ? ino : null;
    await withdraw(parts, there === ino ? ino : rootIno, { path, from, dropping });
  }
}

interface Parts {
  readonly tree: Tree;
  readonly sharing: SharingDuties;
}

/** New keys from now on, and in time for all that is there. */
async function withdraw(
  { tree, sharing }: Parts, ino: Ino,
  { path: names, from, dropping = null }: ExpiredShare & Partial<Pick<Withdrew, "dropping">>,
): Promise<void> {
  const { era, renewed } = await tree.withdraw(ino);
  const path = `/${names.map(nameToText).join("/")}`;
  await sharing.withdrew({ era, from, path, dropping });
  void renewed.then(() => sharing.renewed(names)).catch(() => undefined);
  tellResealed({ tree, sharing });
}

/** Whether this life seals the last of it or an earlier one did; what fails the next one does. */
function tellResealed(parts: Parts): void {
  const { tree, sharing } = parts;
  void tree.resealed().then(async (sealed) => {
    // Before old copies are looked for: what a snapshot names is none.
    await dropOld(parts, sealed).catch(() => undefined);
    await sharing.resealed(sealed);
  }).catch(() => undefined);
}

/** Of folders that somebody was shut out of, what snapshots have that were made before that. */
async function dropOld({ tree, sharing }: Parts, sealed: SealedEra): Promise<void> {
  const { withdrawals } = await sharing.list();
  for (const { era, dropping, isDropped, sealedAt } of withdrawals) {
    if (dropping === null || isDropped || era > sealed.era) continue;
    const beforeMs = sealedAt === null ? sealed.atMs : Date.parse(sealedAt);
    await tree.past.removeWith(dropping, beforeMs);
    await sharing.dropped(era);
  }
}

/** Goes on with the secrets of those who were shut out, in an earlier life too. */
export async function keepSecrets(
  tree: Tree, { sharing }: NodeDuties, { shared, ties }: {
    readonly shared: SharedFolders; readonly ties: DriveTies;
  },
): Promise<void> {
  // Wherever a folder is by now, it is below the root.
  const at = (path: readonly Name[]): Promise<Ino> => folderAt(tree, path).catch(() => rootIno);
  shared.withdraw = async (share) => {
    tree.guests.refuseBegun();
    await withdraw({ tree, sharing }, await at(share.path), share);
  };
  await ties.begin({ tree, sharing, shared, at });
  tellResealed({ tree, sharing });
}

/** What was kept before all was sealed anew is as it was then. */
async function withSnapshots(
  tree: Tree, { withdrawals, ...shares }: SharesView,
): Promise<SharesView> {
  const kept = withdrawals.length === 0 ? [] : await tree.past.list();
  return {
    ...shares, renewing: tree.renewing() ?? null,
    withdrawals: withdrawals.map((one) => {
      const untilMs = one.sealedAt === null ? Infinity : Date.parse(one.sealedAt);
      const older = one.isDropped ? [] : kept.filter(({ fromMs }) => fromMs < untilMs);
      return { ...one, snapshots: older.length };
    }),
  };
}

/** What guests wrote becomes part of the drive, and the kernel hears of it. */
export function takeGuestsIn(
  tree: Tree, shared: SharedFolders, notices: GraftNotices,
): void {
  shared.takeIn = async ({ root, ...guest }) => {
    const { isCut } = await tree.guests.mergeGuest(root, guest, async ({ names, inos }) => {
      await Promise.all(names.map(({ parent, name }) => notices.invalidateEntry(parent, name)));
      await Promise.all(inos.map((ino) => notices.invalidateInode(ino)));
    });
    return !isCut;
  };
}

/** The number of a folder of the drive. */
async function folderAt(tree: Tree, path: readonly Name[]): Promise<Ino> {
  const ino = await tree.walk(path);
  try {
    await tree.releasedir(await tree.opendir(ino));
    return ino;
  } catch (cause) {
    // The tree knows its number alone.
    if (!isFault(cause, "NotDirectory")) throw cause;
    const words = path.map(nameToText).join("/");
    throw new HiveError("NotDirectory", "sharing.folder", words, { cause });
  }
}
