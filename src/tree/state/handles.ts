/** Open files and directories. A node stays in memory as long as one of them holds it. */
import { HiveError } from "../../base/errors.ts";
import type { OpenFlags } from "../../base/filesystem.ts";
import { type Handle } from "../../base/ids.ts";
import type { Node } from "./nodes.ts";

interface Open {
  readonly node: Node;
  readonly write: boolean;
}

export class Handles {
  readonly #open = new Map<Handle, Open>();
  #next = 1;

  open(node: Node, flags: Pick<OpenFlags, "write">): Handle {
    const handle = this.#next++ as Handle;
    node.handles++;
    this.#open.set(handle, { node, write: flags.write });
    return handle;
  }

  get(handle: Handle): Node {
    return this.#find(handle).node;
  }

  writable(handle: Handle): Node {
    const { node, write } = this.#find(handle);
    if (write) return node;
    throw new HiveError("BadHandle", "tree.handle", "open for reading");
  }

  close(handle: Handle): Node | undefined {
    const open = this.#open.get(handle);
    if (open === undefined) return undefined;
    this.#open.delete(handle);
    open.node.handles--;
    return open.node;
  }

  #find(handle: Handle): Open {
    const open = this.#open.get(handle);
    if (open === undefined) throw new HiveError("BadHandle", "tree.handle", String(handle));
    return open;
  }
}
