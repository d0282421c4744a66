/** `hive verify PATH`: every chunk of the files at or below a path, fetched from its holders. */
import type { Cid, Name } from "../base/ids.ts";
import type { NodeDuties } from "../base/node.ts";
import type { VerifyReport } from "../base/views/drive.ts";
import type { Tree } from "../tree/tree.ts";

export async function verifyPath(
  tree: Tree, node: NodeDuties, path: readonly Name[],
): Promise<VerifyReport> {
  const ino = await tree.walk(path);
  const cids: Cid[] = [];
  for await (const cid of tree.cidsBelow(ino)) cids.push(cid);
  tree.forget(ino, 1);
  const nothing = { segments: 0, proofsRight: 0, proofsWrong: 0, late: 0, offline: 0, bad: [] };
  return { ...nothing, blocks: cids.length, missing: await node.missing(cids) };
}
