/** The part of gifenc 1.0.3 that the page uses, as the constant that app/export/script.py makes of it. */
export declare const gifenc: {
  GIFEncoder(options?: { initialCapacity?: number }): {
    writeFrame(
      index: Uint8Array, width: number, height: number,
      options: {
        palette?: number[][]; delay?: number; repeat?: number; dispose?: number; colorDepth?: number;
        transparent?: boolean; transparentIndex?: number;
      },
    ): void;
    finish(): void;
    bytes(): Uint8Array<ArrayBuffer>;
  };
  quantize(rgba: Uint8Array | Uint8ClampedArray, colours: number): number[][];
  applyPalette(rgba: Uint8Array | Uint8ClampedArray, palette: number[][]): Uint8Array<ArrayBuffer>;
};
