/**
 * A tree of pages sealed once more, each with the same items: for pages that must lie elsewhere. As
 * in rewrite.ts, the caller loads, seals, stores and forgets.
 */
import type { Cid } from "../base/ids.ts";
import { type PageRoot, childOf, newPage } from "./pages.ts";
import type { PageWork } from "./rewrite.ts";

export async function renewPages(root: PageRoot, work: PageWork): Promise<PageRoot> {
  return root.kind === "page" ? { ...root, cid: await renew(root, work) } : root;
}

async function renew(
  { cid, level }: { readonly cid: Cid; readonly level: number }, work: PageWork,
): Promise<Cid> {
  const page = await work.load(cid, level);
  await work.breathe();
  work.drop(cid);
  if (level === 0) return work.save(page);
  const values: Buffer[] = [];
  for (const at of page.keys.keys()) {
    const child = await renew({ cid: childOf(page, at), level: level - 1 }, work);
    values.push(Buffer.from(child, "hex"));
  }
  return work.save(newPage(level, page.keys, values));
}
