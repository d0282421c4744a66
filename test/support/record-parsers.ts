/** Every parser of signed records, by the name that the vectors give its kind. */
import { parseDeletion } from "../../src/crypt/records/deletions.ts";
import { parsePledge, parseReplacement, parseVote } from "../../src/crypt/records/guard-records.ts";
import {
  parseDeviceCertificate,
  parseHead,
  parseManifest,
  parseOffer,
  parseReceipt,
  parseRelease,
  parseSegmentRecord,
} from "../../src/crypt/records/records.ts";
import { parseGrant, parseShare } from "../../src/crypt/records/share-records.ts";

export const parsers: Readonly<Record<string, (bytes: Uint8Array) => { readonly bytes: Uint8Array }>> = {
  offer: parseOffer,
  certificate: parseDeviceCertificate,
  manifest: parseManifest,
  segment: parseSegmentRecord,
  head: parseHead,
  release: parseRelease,
  receipt: parseReceipt,
  replacement: parseReplacement,
  pledge: parsePledge,
  vote: parseVote,
  share: parseShare,
  grant: parseGrant,
  deletion: parseDeletion,
};
