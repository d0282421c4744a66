/**
 * Requests to read the device into: a bounded number at a time, used again, since each has room
 * for the largest write. At rest all but one of those that nobody holds are let go of.
 */
import { limits } from "../../base/limits.ts";
import { type Spares, knowSpares } from "../../base/machine/pool.ts";
import { writeHeadBytes } from "../protocol/protocol.ts";
import { Request } from "../protocol/request.ts";

const { buffersMax, transferBytesMax } = limits.mount;

export class SpareRequests implements Spares {
  readonly #free: Request[] = [];
  #made = 0;

  constructor() {
    knowSpares(this);
  }

  /** Undefined when as many are taken as there may be. */
  take(): Request | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#made === buffersMax) return undefined;
    this.#made++;
    return new Request(writeHeadBytes + transferBytesMax);
  }

  give(request: Request): void {
    this.#free.push(request);
  }

  clear(): void {
    this.#made -= this.#free.splice(1).length;
  }
}
