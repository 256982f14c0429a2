// The page's state: one object that is changed through `change` only; whoever listens hears of every change.

/** @import { PageState, Run } from "./types.d.ts" */

export class Store {
  /** @param {PageState} state */
  constructor(state) {
    this.state = state;
    /** @type {((changed: Set<keyof PageState>) => void)[]} */
    this.listeners = [];
  }

  /** Changes some of the state and tells the listeners which. @param {Partial<PageState>} values */
  change(values) {
    Object.assign(this.state, values);
    const changed = new Set(/** @type {(keyof PageState)[]} */ (Object.keys(values)));
    for (const listener of this.listeners) listener(changed);
  }

  /** @param {(changed: Set<keyof PageState>) => void} listener */
  listen(listener) {
    this.listeners.push(listener);
  }

  /** Returns a run by its key. @param {string} key @returns {Run | undefined} */
  run(key) {
    return this.state.runs.find((run) => run.key === key);
  }

  /** The runs on the stage. */
  get shown() {
    return /** @type {Run[]} */ (this.state.shown.map((key) => this.run(key)).filter(Boolean));
  }
}
