// The types of the page's script: what the server sends, and the state that the modules share. Only `tsc` reads this.

// ---- from the server: app/ui/component.py and app/trace/messages.py ------------------------------------------------

/** One declared field of a request, or one knob of a strategy: app/sampling/fields.py. */
export interface Field {
  name: string;
  label: string;
  help: string;
  kind: "int" | "float" | "bool" | "choice" | "words";
  default: any;
  low?: number;
  high?: number;
  above_low?: boolean; // `low` itself is not allowed
  slider?: [low: number, high: number]; // ends of the slider if not the whole range
  step?: number;
  options?: string[];
  placeholder?: string;
}

export interface Strategy {
  name: string; // the paper's id, such as "low_confidence"
  title: string; // plain words, such as "Surest first"
  group: string; // such as "By sureness"
  summary: string;
  budget: string; // what the step budget means for it
  least?: number; // the smallest step budget it can use with its default knobs; 1 if left out
  papers: string[]; // arXiv ids
  knobs: Field[];
  settings: Record<string, Record<string, any>>; // name of a setting -> values of knobs; the first is the paper's
}

export interface Example { id: string; title: string; note: string; text: string; strategy: string }

/** A language other than English: a file of assets/languages. The messages are by their English text. */
export interface Language { code: string; name: string; messages: Record<string, string> }

/** What the page is built with; it never changes. */
export interface Setup {
  fields: Field[]; // without text, prefix, suffix, length, strategy, knobs and start
  strategies: Strategy[];
  groups: string[]; // the order of the strategies' groups
  notes?: Record<string, string>; // plain words for the numbers in State.notes: NOTES in app/strategies/registry.py
  limits: { length: number; gaps: number; steps: number };
  draft: Draft; // the values that the page starts with
  examples: Example[];
  landing: Replay | null; // the first example
  model: string; // label of the first model
  has_models: boolean; // whether others can be chosen
  has_parent: boolean;
  can_pause: boolean;
  lessons: LessonHead[];
  can_look: boolean; // whether the server makes single passes that are no runs
  languages: { code: string; name: string }[]; // other than English
}

export type Ended = "running" | "complete" | "stopped" | "time limit";

/** A request in JSON, as a trace records it; `start` is null unless the run is a branch. */
export interface RequestJson {
  text: string; prefix: string; suffix: string; length: number | null;
  strategy: string; knobs: Record<string, any>; steps: number; start: any;
  [field: string]: any;
}

export interface Opening {
  given: string[]; // [gaps + 1] as typed and whole, whatever the model reads of it
  spaces: string[]; // [gaps] typed before each gap and removed before the model reads the text
  gaps: number[]; // number of slots of each gap
  inherited: number[]; // slots that a branch took over from its parent as written
  notices: string[];
  request: RequestJson;
  model: string;
  by: "diffusion" | "parent" | "best of 16";
  origin: { run: string; step: number } | null; // what it was branched from
}

/** State of one step. A committed slot keeps the confidence of its commit. */
export interface State {
  nfe: number; calls: number; seconds: number;
  when?: string; confidence?: string; entropy?: string; // bytes in base64
  notes?: Record<string, number>; remask?: number[];
}

export interface Live extends State {
  run: string; key: string; step: number; ended: Ended; begun: boolean;
  pieces: (string | null)[];
  choosing: { rows: number; calls: number }; // passes spent on choosing the number of masks so far
  waiting?: string; // what a run that has begun waits for, after a pause: its place in the queue
  opening?: Opening;
}

/** A run that ended by a mistake or a fault: what to say beside it, as text. What was written before stays. */
export interface Failed { run: string; key: string; failed: string }

export interface Closing {
  run: string; key: string; step: number; ended: Ended; begun: boolean;
  opening: Opening;
  length: number;
  text: string; // the whole text
  states: (State & { changes: Record<string, string | null> })[];
  choosing: { rows: number; calls: number };
  verdict: string; // one line
  rates: { effective: number | null; in_step: number | null }; // tokens a second
}

/** Why a run could not be made, or broke off. */
export interface Failed { run: string; key: string; failed: string }

export type Message = Live | Closing;
export type Candidate = [text: string, probability: number];

/** A closing message with everything that is needed to replay it without a server. */
export interface Replay extends Closing {
  candidates: Candidate[][][]; // [steps][slots][<= 5]
  language?: Language; // in which the file was saved, other than English
}

/** A word of a text, the tokens it is made of, and the log of the least probability among them. */
export interface BelievedWord { from: number; to: number; tokens: number; belief: number }

/** What Gradio gives the component. Every server function takes one object and returns one that may hold `error`. */
export interface Server {
  candidates(asked: { run: string; step: number }): Promise<{ candidates?: Candidate[][]; error?: string }>;
  replay(asked: { run: string }): Promise<{ replay?: Replay; error?: string }>;
  recorded(asked: { run: string }): Promise<{ trace?: string; error?: string }>;
  shell(asked: {}): Promise<{ before?: string; after?: string; error?: string }>; // of the file that replays alone
  opened(asked: { content: string }): Promise<{ closing?: Closing; error?: string }>;
  example(asked: { id: string }): Promise<{ replay?: Replay; error?: string }>;
  control(asked: { run: string; do: "pause" | "step" | "go" }): Promise<{ error?: string }>;
  lesson(asked: { number: number | "reading" }): Promise<{ lesson?: Lesson; replays?: Record<string, Replay>; reading?: Reading; error?: string }>;
  /** A table for a figure of a lesson, made by the model now: app/ui/lessons.py. */
  table(asked: { make: string; text?: string; run?: string; step?: number }): Promise<{ table?: any; error?: string }>;
  inspect(asked: { text: string; model: string }): Promise<{ tokens?: number; unknown?: number; warning?: string; error?: string }>;
  /** Masks are numbers; `from` and `to` count the characters of the texts, joined, and a belief is in nats. */
  proofread(asked: { parts: (string | number)[]; model: string }): Promise<{ words?: BelievedWord[]; error?: string }>;
  /** Shares of the attention, of each token of each stretch of given text and of each slot. */
  reads(asked: { run: string; step: number }): Promise<{ given?: [text: string, share: number][][]; slots?: number[]; error?: string }>;
  /** `loading` says that the list is not whole yet, because the first model is being loaded: ask again. */
  models(asked: {}): Promise<{ models?: { name: string; label: string }[]; loading?: boolean; error?: string }>;
  model(asked: { name: string }): Promise<{ ready?: boolean; text?: string; error?: string }>;
  language(asked: { code: string }): Promise<{ language?: Language; error?: string }>;
}

// ---- the page's state: store.js ------------------------------------------------------------------------------------

/** What the visitor has set up. `steps` null means as many as there are masks. `model` "" is the first one. */
export interface Draft {
  text: string; // a template, such as "Tom went to the [[3]]."
  strategy: string;
  knobs: Record<string, any>;
  steps: number | null;
  model: string;
  start: any; // null, or a state to start from that came with a link
  [field: string]: any; // the other fields of a request
}

/** One state of a run, ready to paint. */
export interface Frame {
  pieces: (string | null)[];
  when: Uint8Array; confidence: Uint8Array; entropy: Uint8Array;
  nfe: number; calls: number; seconds: number;
  masks: number; remask: number[]; notes: Record<string, number>;
}

export interface Run {
  key: string; // the browser's name for it; unique in the tray
  name: string; // the server's name for it; "" until the first message
  label: string; // the letter or the name that the visitor gave it
  source: "live" | "recorded" | "opened" | "link";
  opening: Opening | null;
  frames: Frame[]; // by step; may have holes while it runs
  latest: number; // newest step that arrived
  ended: Ended | "asked" | "failed"; // "asked" until the first message
  begun: boolean;
  paused: boolean;
  waiting: string; // what it waits for after a pause
  choosing: { rows: number; calls: number };
  closing: Closing | null; // once it has ended
  candidates: Candidate[][][] | null; // of a replay
  expired: boolean; // the server does not have it any more
  fitted: boolean; // cells are as wide as their widest token; false for a run that is or was streamed
}

export interface Edit { place: number; take?: number; mask?: boolean; lock?: boolean } // `take` is a rank from 0

/** What `trigger("run", ...)` sends for each run. */
export interface Asked {
  key: string;
  request: Record<string, any>;
  model: string;
  by: "diffusion" | "parent" | "best of 16";
  branch: { run: string; step: number; edits: Edit[] } | null;
}

export interface PageState {
  draft: Draft;
  runs: Run[]; // the tray, oldest first
  shown: string[]; // keys of the runs on the stage: none, one, or two to four in a comparison
  time: number; // step on the screen; in a comparison the position on the timeline
  following: boolean; // keep up with the newest state
  place: number; // slot whose candidates are shown, or -1
  pane: string; // key of the run that `place` belongs to
  by: "passes" | "progress"; // how a comparison aligns its runs
  score: "confidence" | "entropy" | "order"; // what the map shows
  stale: boolean; // the draft has changed since the run on the stage
  presenting: boolean;
  loop?: boolean; // the player begins again at the end, as the landing does until the first touch
  models?: { name: string; label: string }[]; // the models that can be chosen, once their list has arrived
}

// ---- lessons: app/lessons/lesson.py ----------------------------------------------------------------------------------

/** What the list of lessons shows. */
export interface LessonHead { number: number; id: string; title: string; about: string; minutes: number; learnt: string; length: number }

/** What is put on the stage: one run, or up to four to compare. */
export interface LessonShow { runs: string[]; at?: number | "end" | "play"; place?: number; by?: "passes" | "progress" }

export interface LessonFigure { kind: string; table?: string; [parameter: string]: any }

export interface LessonStep {
  title: string;
  text?: string[];
  show?: LessonShow;
  light?: string[];
  figure?: LessonFigure;
  ask?: {
    kind: "place" | "choice" | "number"; question: string; run?: string; options?: string[];
    answer: number | string; // of a place the rule by which it is found
    within?: number;
  };
  reveal?: string[];
  then?: LessonShow;
  own?: Record<string, any>; // settings for the reader's own text
}

export interface Lesson extends LessonHead {
  runs: string[];
  labels?: Record<string, string>; // of runs that are compared
  tables: Record<string, any>;
  facts: Record<string, string>;
  steps: LessonStep[];
}

/** What the lessons end with: assets/reading.json. */
export interface Reading {
  cards: { title: string; paper: string; text: string }[];
  reading: { title: string; url: string; text: string }[];
}

/** What the reader answered; it counts unless the answer had been on the screen. */
export interface LessonAnswer { value: any; right: boolean; counted: boolean; words: string; yours: string }

export interface FigureContext {
  table: any;
  say: (text: string, bad?: boolean) => void;
  /** Returns a table that the model makes now, or why it cannot; it never rejects. */
  ask: (asked: { make: string; text?: string; run?: string; step?: number }) => Promise<{ table?: any; error?: string }>;
  /** The same about the state on the stage. */
  askAboutStage: (make: string) => Promise<{ table?: any; error?: string }>;
}

/** One step under the lens: app/lessons/lens.py. */
export interface Lens { text: string; step: number; tokens: number; temperatures: number[]; positions: LensPosition[] }
export interface LensPosition { place: number; tops: [text: string, logit: number][]; tail: number[] }

/** Every order of the words of a gap: app/lessons/orders.py. */
export interface Orders {
  text: string; pieces: string[];
  nats: (number | null)[][]; // [state][word]; bit i of a state says whether word i is written
  orders: { name: string; order: number[] | null; nats: number }[];
}
