/**
 * What one record of a folder shows, as its owner tells of it: the folder as a published head has
 * it, or as the last record had it where it is not there any more. It names only what that head
 * names. Of whose changes what is in it stands there, too: by that the drive's devices tell which
 * of them has seen all that readers see.
 *
 *   l/SHARE  the payload of the last record, sealed (given-books.ts)
 */
import type { KeyValue } from "../../base/blocks.ts";
import { sharingKeys } from "../../base/book-keys.ts";
import type { Name } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import { openRecord, sealRecord } from "../../crypt/ciphers/aead.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import { treeKeys } from "../../dag/keys.ts";
import type { Seen } from "../../dag/marks.ts";
import { openRoot, parseRoot } from "../../dag/root.ts";
import type { Published } from "../../transfer/heads/publish.ts";
import { type ReadBlock, findFolder, rootOf } from "../records/folder-root.ts";
import { decodeSharePayload, encodeSharePayload } from "../records/payload.ts";
import type { GivenPlace } from "./given-books.ts";
import type { GivenTie } from "./given-ties.ts";

export interface GivenRecordsNeeds {
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly random: Random;
  readonly read: ReadBlock;
}

/** What a record is to hold. */
export interface Made {
  readonly payload: Uint8Array;
  /** The folder alone: the same while nothing in it changed. */
  readonly root: Uint8Array;
}

type Folder = Pick<GivenTie, "share" | "ino"> & Pick<GivenPlace, "path">;

export class GivenRecords {
  readonly #needs: GivenRecordsNeeds;

  constructor(needs: GivenRecordsNeeds) {
    this.#needs = needs;
  }

  /** And where it is by now. Undefined when it is not there any more, or not with peers yet. */
  async of(
    folder: Folder, published: Published, { isWritten }: { readonly isWritten: boolean },
  ): Promise<Made & { readonly path: readonly Name[] } | undefined> {
    const { keys: { catalogKey, treeSecret }, read } = this.#needs;
    const root = openRoot(treeKeys(treeSecret), published.root);
    const found = await findFolder(root, folder, read);
    if (found === undefined) return undefined;
    // Whoever writes it is told who changed it; what devices are called is nobody else's business.
    const made = rootOf(found, isWritten ? root.devices : withoutNames(root.devices));
    // Nor is what is held back of the drive.
    const { standIn: _, ...told } = published;
    const payload = encodeSharePayload({ ...told, root: made, ino: folder.ino, catalogKey });
    return { payload, root: rootOf(found), path: found.path };
  }

  async last({ share }: Folder): Promise<Made | undefined> {
    const sealed = await this.#needs.books.get(sharingKeys.givenState + share);
    return sealed && this.again(openRecord(this.#needs.keys.localKey, sealed));
  }

  /** For other readers. */
  again(payload: Uint8Array): Made {
    const { directory } = parseRoot(decodeSharePayload(payload).root);
    return { payload, root: rootOf(directory) };
  }

  async keep({ share }: Folder, payload: Uint8Array): Promise<void> {
    const { books, keys, random } = this.#needs;
    await books.put(sharingKeys.givenState + share, sealRecord(keys.localKey, payload, random));
  }
}

/** What of each device's changes a published head has. */
export function seenBy({ treeSecret }: DriveKeys, { root }: Published): Seen {
  return openRoot(treeKeys(treeSecret), root).devices;
}

/** What of each device's changes a record shows; none where it does not say. */
export function seenIn(payload: Uint8Array): Seen {
  return parseRoot(decodeSharePayload(payload).root).devices;
}

/** Whether the first has something that the second lacks. */
export function isAhead(one: Seen, other: Seen): boolean {
  return [...one].some(([device, { count }]) => count > (other.get(device)?.count ?? 0));
}

function withoutNames(devices: Seen): Seen {
  return new Map([...devices].map(([device, { count }]) => [device, { count, name: "" }]));
}
