/**
 * Sharing as a drive does it: the tree knows folders by number and renews their secrets, the node
 * tells readers and holders. Here it is seen to that they do so in the right order.
 */
import { type Ino, type Name, nameFromText, rootIno } from "../base/ids.ts";
import type { NodeDuties } from "../base/node.ts";
import type { GiveQuestion, LinkQuestion, SharesView } from "../base/sharing.ts";
import type { SharedFolders } from "../shared/folders.ts";
import type { Tree } from "../tree/tree.ts";

export type ShareWish = Pick<GiveQuestion, "person" | "expiresAtMs">;
export type LinkWish = Pick<LinkQuestion, "passphrase" | "expiresAtMs">;

export interface DriveSharing {
  /** Lets a person read a folder of the drive; the grant for her. */
  share(path: readonly string[], asked: ShareWish): Promise<string>;
  /** Lets whoever has the link read a folder of the drive. */
  link(path: readonly string[], asked: LinkWish): Promise<string>;
  /** What is shared, by this drive and with it. */
  shares(): Promise<SharesView>;
  /** Shuts a person out of a folder of the drive. */
  revoke(path: readonly string[], person: string): Promise<void>;
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
export async function keepSecrets(
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
