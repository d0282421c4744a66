/** A text as a QR code of block characters, two rows of it in one of the terminal's. */
import encodeQR from "qr";

/** Light on dark, as cameras read it on a dark terminal and on a light one. */
export function qrText(text: string): string {
  return encodeQR(text, "ascii", { ecc: "low", border: 2 });
}
