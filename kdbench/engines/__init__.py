"""Where runs and studies execute: sessions, the work they hand to engines, and the workers that execute it."""
