/**
 * The local store as a tree of somebody else's sees it: blocks come out of it, and those that are
 * not here come from his holders; nothing of that tree is ever put in, and it has no root here.
 */
import type { DriveStore } from "../base/blocks.ts";
import { HiveError } from "../base/errors.ts";

type Reading = Pick<DriveStore, "get" | "getPart" | "has" | "usage">;

export function borrowedStore(store: Reading): DriveStore {
  return {
    get: (cid, options) => store.get(cid, options),
    getPart: (cid, range) => store.getPart(cid, range),
    has: (cid) => store.has(cid),
    usage: () => store.usage(),
    root: () => undefined,
    async *replay() {},
    put: refuse, discard: refuse, sweep: refuse, append: refuse, sync: refuse,
    syncRecords: refuse, commit: refuse,
  };
}

function refuse(): never {
  throw new HiveError("ReadOnly", "shared.store", "somebody else's folder");
}
