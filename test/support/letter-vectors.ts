/** A letter as it lies in test/vectors: the drive that wrote it, and the person whom it is for. */
import { readFileSync } from "node:fs";
import type { Random } from "../../src/base/random.ts";
import type { Grant } from "../../src/base/sharing.ts";
import { type PersonKeys, personKeysOf } from "../../src/crypt/records/grants.ts";
import { parseGrant } from "../../src/crypt/records/share-records.ts";
import { ShareMaker } from "./share-maker.ts";

interface Written {
  readonly driveSeed: string;
  readonly readerSeed: string;
  /** The folder that it is about, where it is about one. */
  readonly folder?: string;
  readonly share: string;
  readonly grant: string;
  readonly record: string;
  readonly payload: string;
  readonly wrong: readonly { readonly payload: string; readonly comment: string }[];
}

export interface LetterVectors {
  readonly written: Written;
  readonly maker: ShareMaker;
  readonly reader: PersonKeys;
  readonly grant: Grant;
  readonly record: Buffer;
  /** Payloads that must not be believed. */
  readonly wrong: readonly { readonly payload: Buffer; readonly comment: string }[];
}

/** By the name of its file. */
export function letterVectors(name: string, random: Random): LetterVectors {
  const file = new URL(`../vectors/${name}`, import.meta.url);
  const written = JSON.parse(readFileSync(file, "utf8")) as Written;
  return {
    written,
    maker: new ShareMaker(random, { seed: bytesOf(written.driveSeed) }),
    reader: personKeysOf(bytesOf(written.readerSeed)),
    grant: parseGrant(bytesOf(written.grant)),
    record: bytesOf(written.record),
    wrong: written.wrong.map(({ payload, comment }) => ({ payload: bytesOf(payload), comment })),
  };
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}
