/**
 * Which folders of others this machine's person may write, and by what, as the books tell it: for
 * whoever looks after what is here of them while nothing runs. On this device that may have been
 * the right itself, or what follows from it, or one after the other.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { sharingKeys } from "../../base/book-keys.ts";
import type { PeerId } from "../../base/ids.ts";
import type { FolderRight, WriteRight } from "../../crypt/drive/write-right.ts";
import type { PersonKeys } from "../../crypt/records/grants.ts";
import { type Held, openInbox, takeGrant } from "../records/opened.ts";
import { decodeInbox, offersOf } from "./own-inboxes.ts";
import { decodeTaken, decodeThrough } from "./taken-books.ts";
import { ownGrant } from "./taking.ts";

type Books = Pick<KeyValue, "list">;

export interface WrittenFolder {
  /** What it is called here. */
  readonly name: string;
  readonly right: WriteRight;
}

export async function writtenFolders(
  books: Books, person: PersonKeys, self: PeerId,
): Promise<readonly WrittenFolder[]> {
  const offers = await offersIn(books, person);
  const found: { readonly name: string; readonly right: FolderRight | undefined }[] = [];
  for await (const [key, value] of books.list(sharingKeys.taken)) {
    const { name, offered } = decodeTaken(value);
    const held = offers.get(key.slice(2)) ?? ownGrant(person, offered).held;
    found.push({ name, right: held.right });
  }
  for await (const [key, value] of books.list(sharingKeys.takenThrough)) {
    const { name } = decodeThrough(value);
    found.push({ name, right: offers.get(key.slice(2))?.right });
  }
  return found.flatMap(({ name, right }) => {
    return right === undefined ? [] : [{ name, right }, { name, right: right.of(self) }];
  });
}

/** What groups gave this person last, by place. */
async function offersIn(books: Books, person: PersonKeys): Promise<ReadonlyMap<string, Held>> {
  const found = new Map<string, Held>();
  for await (const [, value] of books.list(sharingKeys.ownInbox)) {
    const { grant, record } = decodeInbox(value);
    if (record.length === 0) continue;
    const inbox = takeGrant(person, grant);
    for (const { held } of offersOf(inbox, openInbox(inbox, record, 0))) {
      found.set(`${held.grant.owner}/${held.grant.share}`, held);
    }
  }
  return found;
}
