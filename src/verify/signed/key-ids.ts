/** Key ids (point 2). */

const KEY_ID = /^[A-Za-z0-9][A-Za-z0-9@._+-]{0,127}$/;

declare const foldedBrand: unique symbol;

/** An id as it is compared when referred to. */
export type FoldedId = string & { readonly [foldedBrand]: true };

export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** Ids are ASCII, so folding is the lower case of its letters. */
export function foldId(id: string): FoldedId {
  return id.toLowerCase() as FoldedId;
}
