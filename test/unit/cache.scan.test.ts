/** Finding frames in a block file of which nothing is known, against a list of what was written. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { seededRandom } from "../../src/base/random.ts";
import { BlockFile } from "../../src/cache/files/block-file.ts";
import { encodeHeader } from "../../src/cache/files/frame.ts";
import { scanFile } from "../../src/cache/files/scan.ts";
import { sample } from "../contract/store.ts";

const seed = process.env["HIVE_SEED"] ?? "1";

test("every whole frame is found, between garbage, torn frames and flipped bits", async (t) => {
  const random = seededRandom(seed);
  const pieces: Buffer[] = [];
  const wanted: string[] = [];
  for (let index = 0; index < 150; index++) {
    const { cid, bytes } = sample(`scan ${index}`, 1 + random.below(200_000));
    const told = { kind: "block", cid, sequence: index, lengthBytes: bytes.length } as const;
    const header = encodeHeader({ ...told, slot: index % 16 });
    const frame = Buffer.concat([header, bytes]);
    const fate = random.below(5);
    if (fate === 0) flip(frame, random.below(frame.length));
    else if (fate === 1) pieces.push(frame.subarray(0, random.below(frame.length)));
    else wanted.push(cid);
    if (fate !== 1) pieces.push(frame);
    if (random.below(4) === 0) pieces.push(random.bytes(random.below(300)));
  }
  await using file = await fileOf(Buffer.concat(pieces));
  const found: string[] = [];
  for await (const { frame } of scanFile(file.file)) found.push(frame.cid);
  t.strictSame(found, wanted, `replay: HIVE_SEED=${seed} node ${process.argv[1]}`);
});

test("a file of garbage, of headers' beginnings, and an empty one hold nothing", async (t) => {
  const magic = Buffer.from("HvB\x01", "latin1");
  const contents = [
    Buffer.alloc(0), Buffer.alloc(63), seededRandom(seed).bytes(MiB), Buffer.alloc(64 * KiB, magic),
  ];
  for (const bytes of contents) {
    await using file = await fileOf(bytes);
    let count = 0;
    for await (const _ of scanFile(file.file)) count++;
    t.equal(count, 0);
  }
});

async function fileOf(bytes: Buffer): Promise<{ file: BlockFile } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), "hive-scan-"));
  const path = join(directory, "00000001.blocks");
  await writeFile(path, bytes);
  const file = new BlockFile({ number: 1, path, sizeBytes: bytes.length });
  return {
    file,
    async [Symbol.asyncDispose]() {
      await file.close();
      await rm(directory, { recursive: true });
    },
  };
}

function flip(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
}
