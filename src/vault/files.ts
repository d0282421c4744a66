/**
 * Shards as files: `shards/ab/abcd...`, written aside, synced, renamed and the folder synced, so
 * that what is there is whole. It knows neither owners nor quotas. Paths are made of ShardIds only,
 * which are hex: nothing from the wire becomes part of a path.
 */
import { type FileHandle, mkdir, open, readFile, readdir, rename } from "node:fs/promises";
import { rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HiveError, type Kind, codeOf } from "../base/errors.ts";
import type { ByteRange } from "../base/filesystem.ts";
import { type ShardId, parseShardId } from "../base/ids.ts";

/** Written and synced, under a name of its own until it is placed. */
export interface Staged extends AsyncDisposable {
  /** Puts it in its place; durable when it resolves. */
  place(): Promise<void>;
}

export const folders: readonly string[] = Array.from({ length: 256 }, (_, at) =>
  at.toString(16).padStart(2, "0"),
);

const markText = "hive vault 1\n";

export class ShardFiles {
  readonly #directory: string;
  #counter = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** True while the disk that was marked is there: an unmounted one must not look empty. */
  async isMarked(): Promise<boolean> {
    try {
      return (await readFile(this.#mark(), "latin1")) === markText;
    } catch (cause) {
      if (codeOf(cause) === "ENOENT") return false;
      throw diskFault("vault.mark", "mark", cause);
    }
  }

  async mark(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFile(this.#mark(), markText, { mode: 0o600, flush: true });
  }

  /** Makes the folders, and removes what a crash left half written. */
  async prepare(): Promise<void> {
    await rm(this.#incoming(), { recursive: true, force: true });
    await mkdir(this.#incoming(), { recursive: true, mode: 0o700 });
    const shards = join(this.#directory, "shards");
    await mkdir(shards, { recursive: true, mode: 0o700 });
    const there = new Set(await readdir(shards));
    const missing = folders.filter((folder) => !there.has(folder));
    await Promise.all(missing.map((folder) => mkdir(this.#folder(folder), { mode: 0o700 })));
    await syncFolder(shards);
    await syncFolder(this.#directory);
  }

  async stage(shard: ShardId, bytes: Uint8Array): Promise<Staged> {
    const aside = join(this.#incoming(), `${shard}.${this.#counter++}`);
    try {
      await using file = await open(aside, "wx", 0o600);
      await file.writeFile(bytes);
      await file.datasync();
    } catch (cause) {
      await rm(aside, { force: true });
      throw diskFault("vault.write", shard, cause);
    }
    return this.#staged(shard, aside);
  }

  /** Exactly the range; NotFound without the file, Corrupt when it ends too early. */
  async read(shard: ShardId, { offsetBytes, lengthBytes }: ByteRange): Promise<Buffer> {
    await using file = await this.#openShard(shard);
    const bytes = Buffer.allocUnsafeSlow(lengthBytes);
    let done = 0;
    while (done < lengthBytes) {
      const { bytesRead } = await file
        .read(bytes, done, lengthBytes - done, offsetBytes + done)
        .catch((cause: unknown) => {
          throw diskFault("vault.read", shard, cause);
        });
      if (bytesRead === 0) throw new HiveError("Corrupt", "vault.read", `${shard} is cut short`);
      done += bytesRead;
    }
    return bytes;
  }

  /** Gone, and gone after a crash too; nothing happens when it is not there. */
  async remove(shard: ShardId): Promise<void> {
    try {
      await unlink(this.#path(shard));
    } catch (cause) {
      if (codeOf(cause) === "ENOENT") return;
      throw diskFault("vault.remove", shard, cause);
    }
  }

  /** The shards in one of the folders; what has no shard's name is not ours and stays. */
  async list(folder: string): Promise<readonly ShardId[]> {
    const names = await readdir(this.#folder(folder));
    const shape = new RegExp(`^${folder}[0-9a-f]{62}$`);
    return names.filter((name) => shape.test(name)).map(parseShardId);
  }

  #staged(shard: ShardId, aside: string): Staged {
    let placed = false;
    return {
      place: async () => {
        try {
          await rename(aside, this.#path(shard));
          placed = true;
          await syncFolder(this.#folder(shard.slice(0, 2)));
        } catch (cause) {
          throw diskFault("vault.place", shard, cause);
        }
      },
      [Symbol.asyncDispose]: async () => {
        if (!placed) await rm(aside, { force: true });
      },
    };
  }

  async #openShard(shard: ShardId): Promise<FileHandle> {
    try {
      return await open(this.#path(shard), "r");
    } catch (cause) {
      throw diskFault("vault.read", shard, cause);
    }
  }

  #path(shard: ShardId): string {
    return join(this.#folder(shard.slice(0, 2)), shard);
  }

  #folder(name: string): string {
    return join(this.#directory, "shards", name);
  }

  #mark(): string {
    return join(this.#directory, "vault");
  }

  #incoming(): string {
    return join(this.#directory, "incoming");
  }
}

/** A rename or a new file is only durable with its folder. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

/** A full disk is a lack of room, whatever quota was promised; a bad sector is a spoilt shard. */
function diskFault(op: string, subject: string, cause: unknown): HiveError {
  return new HiveError(kindOfCode.get(codeOf(cause)) ?? "Unavailable", op, subject, { cause });
}

const kindOfCode: ReadonlyMap<string, Kind> = new Map([
  ["ENOENT", "NotFound"],
  ["ENOSPC", "Quota"],
  ["EDQUOT", "Quota"],
  ["EIO", "Corrupt"],
]);
