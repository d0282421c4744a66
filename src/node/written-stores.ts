/**
 * Which stores there are of what is written in folders of others, and what opens them: for whoever
 * looks after them while nothing is mounted. It changes nothing: the books are read as a clone.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { OwnerId } from "../base/ids.ts";
import { openKeyValueClone } from "../cache/cache.ts";
import { peerKeysOf } from "../crypt/ciphers/peer-key.ts";
import { personKeysOf } from "../crypt/records/grants.ts";
import { writtenFolders } from "../sharing/taken/written-folders.ts";
import { writtenPrefix } from "../sharing/writing/numbering.ts";
import type { NodeConfig } from "./config.ts";

export interface WrittenStore {
  /** What the folder is called here. */
  readonly name: string;
  readonly writer: OwnerId;
  readonly treeSecret: Uint8Array;
  readonly booksDirectory: string;
  readonly booksPrefix: string;
}

export async function writtenStores(
  { directory, driveSeed, peerSeed }: Pick<NodeConfig, "directory" | "driveSeed" | "peerSeed">,
): Promise<readonly WrittenStore[]> {
  const booksDirectory = join(directory, "books", "sharing");
  if (driveSeed === undefined || !existsSync(booksDirectory)) return [];
  await using parts = new AsyncDisposableStack();
  const { books } = parts.use(await openKeyValueClone(booksDirectory));
  const { peer } = peerKeysOf(peerSeed);
  const folders = await writtenFolders(books, personKeysOf(driveSeed), peer);
  return folders.map(({ name, right }) => ({
    name, writer: right.keys.owner, treeSecret: right.keys.treeSecret, booksDirectory,
    booksPrefix: `${writtenPrefix(right)}t/`,
  }));
}
