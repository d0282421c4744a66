/**
 * Makes a root that stands in for the newest one (base/stand-in.ts): what a look found to be held
 * back is put as it was into the folders above it, whose pages are made anew, up to the root. These
 * pages go to whoever asked and into no store: the drive itself goes on without them.
 *
 * It tells no snapshot and no news of other devices beyond what the last head told, since their
 * pages may wait as well: whoever goes on from it forgets nothing that others have.
 */
import type { Cid, Name } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { StandIn, StandInMaker, StandInQuestion } from "../../base/stand-in.ts";
import { type TableValue, encodeEntry, parseEntry } from "../../dag/entries.ts";
import { type Inode, type PageTree, isFolderMode } from "../../dag/inodes.ts";
import { deviceOf, noDevices } from "../../dag/marks.ts";
import { type Page, pageKey, sealPage } from "../../dag/pages.ts";
import { rewritePages } from "../../dag/rewrite.ts";
import { type RootRecord, openRoot, sealRoot } from "../../dag/root.ts";
import { noTieLinks } from "../../dag/ties.ts";
import { Breather } from "../attempt.ts";
import type { State } from "../state/state.ts";
import { type Folder, Look, Tangled } from "./look.ts";
import type { PageReader } from "./page-changes.ts";

type Block = StandIn["blocks"][number] & { readonly page: Page };

const { standInPagesMax: pagesMax } = limits.transfer;

export class StandIns implements StandInMaker {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  async standIn(asked: StandInQuestion): Promise<StandIn | undefined> {
    const { keys, needs: { log } } = this.#state;
    // What waits may be what nothing refers to any more: the round after this one does without.
    this.#state.collectSoon();
    const root = openRoot(keys, asked.root);
    const before = asked.before && openRoot(keys, asked.before);
    try {
      if (hasNewsOfOthers(root, before)) throw new Tangled("another device's news came in");
      return await this.#make({ root, before }, asked);
    } catch (error) {
      if (!(error instanceof Tangled)) throw error;
      log.info("tree.stand-in.none", { why: describe(error) });
      return undefined;
    }
  }

  async #make(
    roots: { readonly root: RootRecord; readonly before: RootRecord | undefined },
    asked: StandInQuestion,
  ): Promise<StandIn> {
    const { root, before } = roots;
    const reader = this.#reader();
    const look = new Look(reader, roots, asked);
    await look.run();
    const blocks: Block[] = [];
    let directory = root.directory;
    // The deepest first: a folder's entry has the name of its newest pages.
    for (const folder of look.folders.toReversed()) {
      if (folder.changes.size === 0) continue;
      if (asked.slots.includes(folder.value.inode.slot)) throw new Tangled("one below another");
      const tree = await this.#rewrite(reader, folder, blocks);
      const inode = counted(folder);
      const name = folder.path.at(-1);
      if (folder.home === undefined || name === undefined) directory = { inode, tree };
      else putInto(folder.home, { inode, tree, name });
    }
    const record: RootRecord = {
      ...root, directory,
      files: root.files + look.more.files, bytes: root.bytes + look.more.bytes,
      policies: { ...root.policies, resealing: root.policies.names.length > 0 },
      kept: before?.kept, devices: before?.devices ?? noDevices,
      ties: before?.ties ?? noTieLinks,
    };
    const sealed = sealRoot(this.#state.keys, record, this.#state.needs.random);
    const opened = new Map(blocks.map(({ cid, page }) => [cid, page]));
    const still = await namedStill(reader, directory.tree, { opened, made: new Set(asked.made) });
    return { root: sealed, blocks: blocks.map(blockOf), still, held: look.held };
  }

  #reader(): PageReader {
    const { blocks, needs: { clock } } = this.#state;
    const breather = new Breather(() => clock.monotonicMs());
    return {
      load: (tree, cid, level) => blocks.loadPage(tree, cid, level),
      breathe: () => breather.breathe(),
    };
  }

  async #rewrite(reader: PageReader, folder: Folder, blocks: Block[]): Promise<PageTree> {
    const { tree, inode: { slot } } = folder.value;
    const { secret } = tree;
    if (secret === undefined) throw new Tangled("a folder without pages");
    const keys = [...folder.changes.keys()].sort((a, b) => a - b);
    const values = keys.map((key) => folder.changes.get(key)?.value);
    const save = (page: Page) => {
      const { cid, sealed } = sealPage(pageKey(secret), page, this.#state.needs.random);
      if (blocks.length === pagesMax) throw new Tangled(`more than ${pagesMax} pages`);
      const told = { cid, lengthBytes: sealed.length, bytes: sealed, ...(slot > 0 && { slot }) };
      blocks.push({ ...told, page });
      return cid;
    };
    const work = {
      load: (cid: Block["cid"], level: number) => reader.load(tree, cid, level),
      save, drop: () => undefined, breathe: () => reader.breathe(),
    };
    const changes = { cutFrom: Infinity, keys, values };
    return { secret, root: await rewritePages(tree.root, changes, { work, insideMax: 0 }) };
  }
}

function blockOf({ page: _, ...block }: Block): StandIn["blocks"][number] {
  return block;
}

/**
 * Pages of earlier ones that this one has: a folder that is held back stands as it was told, and
 * that may be in pages which were made for the telling. Only newer pages name them, so there is no
 * need to look into any other.
 */
async function namedStill(
  reader: PageReader, top: PageTree,
  { opened, made }: { readonly opened: ReadonlyMap<Cid, Page>; readonly made: ReadonlySet<Cid> },
): Promise<readonly Cid[]> {
  const still = new Set<Cid>();
  const trees = [top];
  const visit = async (tree: PageTree, cid: Cid, level: number): Promise<void> => {
    const isOld = made.has(cid);
    if (still.has(cid) || !(isOld || opened.has(cid))) return;
    if (isOld) still.add(cid);
    const page = opened.get(cid) ?? await reader.load(tree, cid, level);
    if (level === 0) trees.push(...foldersIn(page));
    else for (const at of page.keys.keys()) await visit(tree, page.child(at), level - 1);
  };
  for (let tree = trees.pop(); tree !== undefined; tree = trees.pop()) {
    const { root } = tree;
    if (root.kind === "page") await visit(tree, root.cid, root.level);
  }
  return [...still];
}

function foldersIn(page: Page): readonly PageTree[] {
  return page.values().map(parseEntry).flatMap((entry) => {
    return entry.kind === "inode" && isFolderMode(entry.inode.mode) ? [entry.tree] : [];
  });
}

/** As many names, and folders among them, as it has now. */
function counted({ value: { inode }, changes }: Folder): Inode {
  const { content } = inode;
  if (content.kind !== "directory") throw new Tangled("a folder that is none");
  let [entries, links] = [content.entries, inode.links];
  for (const { names, folders } of changes.values()) {
    entries += names;
    links += folders;
  }
  return { ...inode, links, sizeBytes: entries, content: { kind: "directory", entries } };
}

/** The folder above is to name this state of it. */
function putInto(
  { folder, key }: NonNullable<Folder["home"]>, entry: TableValue & { readonly name: Name },
): void {
  const value = encodeEntry({ kind: "inode", ...entry });
  folder.changes.set(key, { value, names: 0, folders: 0 });
}

/** Whether another device's changes were merged since. */
function hasNewsOfOthers(root: RootRecord, before: RootRecord | undefined): boolean {
  const own = deviceOf(root.nextIno);
  return [...root.devices].some(([device, { count }]) => {
    return device !== own && before?.devices.get(device)?.count !== count;
  });
}
