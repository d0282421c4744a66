/** The frozen bytes of releases, of a whole segment and of one shard with one holder. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import type { Release } from "../../src/base/records.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { parseRelease, signRelease } from "../../src/crypt/records/records.ts";
import { outcomeOf } from "../support/faults.ts";

interface Vectors {
  readonly driveSeed: string;
  readonly peerSeed: string;
  readonly cases: readonly (Pick<Release, "segment" | "releasedAtMs"> & {
    readonly comment: string; readonly bytes: string; readonly expect: string;
    readonly only?: NonNullable<Release["only"]>;
  })[];
}

const file = new URL("../vectors/crypt.releases.json", import.meta.url);
const { driveSeed, peerSeed, cases } = JSON.parse(readFileSync(file, "utf8")) as Vectors;
const drive = driveKeysOf(Buffer.from(driveSeed, "hex"));

test("releases are the frozen ones, and read back", (t) => {
  for (const { comment, bytes, expect, segment, releasedAtMs, only } of cases) {
    const parse = (): Release => parseRelease(Buffer.from(bytes, "hex"));
    t.equal(outcomeOf(parse), expect, comment);
    if (expect !== "ok") continue;
    const told = { segment, releasedAtMs, ...(only === undefined ? {} : { only }) };
    const signed = signRelease(drive, told);
    t.equal(Buffer.from(signed.bytes).toString("hex"), bytes, comment);
    t.strictSame(parse(), signed, comment);
  }
  t.end();
});

test("a release of one shard tells all of it, within its limits", (t) => {
  const holder = peerKeysOf(Buffer.from(peerSeed, "hex")).peer;
  const told = { segment: cases[0]?.segment as Release["segment"], releasedAtMs: 1 };
  for (const only of [
    { holder, index: 80, epoch: 1 }, { holder, index: -1, epoch: 1 }, { holder, index: 1, epoch: -1 },
    { holder: "nobody" as never, index: 1, epoch: 1 },
  ]) {
    t.equal(outcomeOf(() => signRelease(drive, { ...told, only })), "Invalid", JSON.stringify(only));
  }
  t.end();
});
