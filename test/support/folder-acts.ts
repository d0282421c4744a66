/** What people do in a folder that they share, drawn by a seed, and what there is in it then. */
import { isFault } from "../../src/base/errors.ts";
import type { Ino } from "../../src/base/ids.ts";
import type { seededRandom } from "../../src/base/random.ts";
import { fileType } from "../../src/dag/inodes.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { at, put, textAt } from "./shared-folder.ts";
import { nobody, readFile } from "./walk.ts";

/** Who acts, and what became of the words that anybody wrote. */
export interface Acting {
  readonly tree: Tree;
  readonly top: Ino;
  readonly random: ReturnType<typeof seededRandom>;
  readonly written: Set<string>;
  readonly given: Set<string>;
  readonly turn: number;
}

/** One thing that somebody does in a folder or below it. */
export async function act({ tree, top, random, written, given, turn }: Acting): Promise<void> {
  const folders = [top, ...await foldersIn(tree, top)];
  const parent = folders[random.below(folders.length)] as Ino;
  const name = `n${random.below(5)}`;
  const old = await textAt(tree, name, parent).catch(() => undefined);
  try {
    switch (random.below(5)) {
      case 0: return void await tree.mkdir(nobody, at(`d${random.below(3)}`, parent), { mode: 0o755 });
      case 1: {
        await tree.unlink(nobody, at(name, parent));
        return void (old !== undefined && given.add(old));
      }
      case 2: {
        const to = folders[random.below(folders.length)] as Ino;
        return void await tree.rename(nobody, at(name, parent), at(`n${random.below(5)}`, to), "noreplace");
      }
      default: {
        const word = `word ${turn}${random.below(4) === 0 ? " ".repeat(30_000) : ""}`;
        await put(tree, name, word, parent);
        if (old !== undefined) given.add(old);
        written.add(word);
      }
    }
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

async function foldersIn(tree: Tree, top: Ino): Promise<Ino[]> {
  const found: Ino[] = [];
  for (const name of ["d0", "d1", "d2"]) {
    const there = await Promise.resolve(at(name, top)).then((one) => tree.lookup(one)).catch(() => undefined);
    if (there !== undefined) found.push(there.ino, ...await foldersIn(tree, there.ino));
  }
  return found;
}

/** What its files hold, and those below it. */
export async function textsIn(tree: Tree, top: Ino): Promise<string[]> {
  const handle = await tree.opendir(top);
  const items: { readonly ino: Ino; readonly mode: number }[] = [];
  await tree.readdir(handle, { afterCookie: 2, plus: true }, ({ attributes }) => {
    if (attributes !== undefined) items.push(attributes);
    return true;
  });
  await tree.releasedir(handle);
  const texts = items.map(async ({ ino, mode }) => (mode & 0o170000) === fileType.directory
    ? textsIn(tree, ino) : [(await readFile(tree, ino)).toString()]);
  return (await Promise.all(texts)).flat();
}
