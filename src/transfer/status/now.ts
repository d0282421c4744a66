/** Asks the parts for what status.ts counts. */
import type { GroupId, PeerId } from "../../base/ids.ts";
import type { SegmentBooks } from "../books.ts";
import type { Groups } from "../groups/groups.ts";
import { wholeDrive } from "../groups/policies.ts";
import type { Doubt } from "../doubt.ts";
import { staying } from "../health.ts";
import { movingOf } from "../placed/moving.ts";
import type { Outgoing } from "../placed/outgoing.ts";
import type { BrakedUploader } from "../uploads/braked.ts";
import { type TransferStatus, statusOf } from "./status.ts";

interface Parts {
  readonly segments: SegmentBooks;
  readonly outgoing: Outgoing;
  readonly groups: Groups;
  readonly uploader: BrakedUploader;
  readonly doubt: Pick<Doubt, "isOn" | "waitsFor">;
}

/** What is known of peers, from whoever watches them. */
export interface Watched {
  readonly isLiving: (peer: PeerId) => boolean;
  readonly sampledAtMs: (peer: PeerId) => number;
}

export function statusNow(parts: Parts, { isLiving, sampledAtMs }: Watched): TransferStatus {
  const { groups, uploader } = parts;
  const { law } = groups;
  const { lanes, waiting, heldBack } = uploader;
  const segments = staying(parts);
  const moving = movingOf({
    drifts: law.drifts(), segments: segments.filter(({ placed }) => placed), isLiving,
    unlawful: (policy) => law.unlawful(policy),
    labelOf: (name) => law.labelOf(name),
  });
  const policyOf = (group: GroupId): string | null => {
    const name = groups.nameOf(group);
    return name === wholeDrive ? null : law.labelOf(name);
  };
  const known = {
    segments, manifests: groups.all(), lanes, waiting, moving, policyOf, heldBack,
    isDoubted: parts.doubt.isOn, doubtWaitsFor: parts.doubt.waitsFor,
  };
  return statusOf(known, isLiving, sampledAtMs);
}
