/**
 * Brings dist up to date, for tests and examples that run the built command line.
 */
import { ensureBuilt } from "./built.js"

ensureBuilt()
