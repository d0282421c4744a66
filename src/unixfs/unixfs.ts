/**
 * What IPFS calls a folder, to and from a CAR file that any IPFS tool makes or takes: in the clear,
 * without a node, a drive or a network. Nothing is announced, and nothing is served.
 */
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { CID } from "multiformats/cid";
import { HiveError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { NewCar, OpenCar } from "./car.ts";
import { type PackOptions, type Packed, pack } from "./pack.ts";
import { placeWhole } from "./placing.ts";
import { type Unpacked, unpack } from "./unpack.ts";

const { growthMax, heldBytesMin } = limits.unixfs;

export interface PublishOptions extends PackOptions {
  readonly file: string;
  /** Whether a file that has the name goes. */
  readonly replaces: boolean;
  readonly signal: AbortSignal;
}

export interface Published extends Packed {
  /** Of the CAR file. */
  readonly carBytes: number;
}

/** What stands at the path into a CAR file whose only root it is. */
export async function publish(path: string, options: PublishOptions): Promise<Published> {
  const { file, replaces, signal } = options;
  await refuseInside(file, path);
  return placeWhole({ path: file, replaces }, async (place) => {
    await using car = await NewCar.create(place);
    const put = (cid: CID, bytes: Uint8Array): Promise<void> => car.put(cid, bytes);
    const packed = await pack({ put, signal }, path, options);
    await car.finish(packed.root);
    return { ...packed, carBytes: car.bytes };
  });
}

/** It would be published itself, and never come to an end. */
async function refuseInside(file: string, path: string): Promise<void> {
  const [folder, source] = await Promise.all([dirname(file), path].map((one) => realpath(one)));
  if (folder !== source && !folder?.startsWith(source === "/" ? "/" : `${source}/`)) return;
  throw new HiveError("Usage", "publish.file", `${file} would lie in what is published`);
}

export interface ImportOptions {
  /** Nothing has this name yet. */
  readonly into: string;
  /** That of the file, if it has one alone, when it is not told. */
  readonly root: string | undefined;
  /** How much may come of it; by default as much as the file can honestly hold. */
  readonly heldBytesMax: number | undefined;
  readonly signal: AbortSignal;
}

export interface Imported extends Unpacked {
  readonly root: CID;
}

/** A block of a CAR file, with all below it, as the file or folder that it stands for. */
export async function importCar(path: string, options: ImportOptions): Promise<Imported> {
  const { into, signal } = options;
  await using car = await OpenCar.open(path);
  const root = rootOf(car, options.root);
  const honest = Math.max(heldBytesMin, growthMax * car.bytes);
  const heldBytesMax = options.heldBytesMax ?? honest;
  const needs = { block: (cid: CID) => car.block(cid), signal };
  return await placeWhole({ path: into, replaces: false }, async (place) => {
    return { root, ...await unpack(needs, { root, path: place, heldBytesMax }) };
  });
}

function rootOf({ roots }: OpenCar, asked: string | undefined): CID {
  if (asked !== undefined) return parseRoot(asked);
  const [first] = roots;
  if (first !== undefined && roots.length === 1) return first;
  const some = roots.slice(0, 5).join(" ");
  throw new HiveError("Usage", "import.root", `it has ${roots.length} roots: --root CID: ${some}`);
}

function parseRoot(text: string): CID {
  try {
    return CID.parse(text);
  } catch (cause) {
    throw new HiveError("Usage", "import.root", `--root ${text}: a CID is needed`, { cause });
  }
}
