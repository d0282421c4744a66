/**
 * A tree of pages without some of them: for a tree that has lost pages. Only the pages above those
 * that go are made anew. As in rewrite.ts, the caller loads, seals, stores and forgets.
 */
import type { Cid } from "../base/ids.ts";
import { type PageRoot, childOf, emptyRoot, newPage } from "./pages.ts";
import type { PageWork } from "./rewrite.ts";

/** Pages that go are never loaded, nor what lies under them. */
export async function prunePages(
  root: PageRoot,
  gone: ReadonlySet<Cid>,
  work: PageWork,
): Promise<PageRoot> {
  if (root.kind !== "page" || gone.size === 0) return root;
  const cid = await prune(root, gone, work);
  return cid === undefined ? emptyRoot : { ...root, cid };
}

async function prune(
  { cid, level }: { readonly cid: Cid; readonly level: number },
  gone: ReadonlySet<Cid>,
  work: PageWork,
): Promise<Cid | undefined> {
  if (gone.has(cid)) return void work.drop(cid);
  if (level === 0) return cid;
  const page = await work.load(cid, level);
  const keys: number[] = [];
  const values: Buffer[] = [];
  for (const [at, key] of page.keys.entries()) {
    const child = await prune({ cid: childOf(page, at), level: level - 1 }, gone, work);
    if (child === undefined) continue;
    keys.push(key);
    values.push(Buffer.from(child, "hex"));
  }
  if (keys.length === page.keys.length && same(values, page.values())) return cid;
  work.drop(cid);
  return keys.length === 0 ? undefined : work.save(newPage(level, keys, values));
}

function same(values: readonly Buffer[], others: readonly Buffer[]): boolean {
  return values.every((value, at) => value.equals(others[at] as Buffer));
}
