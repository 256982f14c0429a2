"""Lessons: what a lesson file may say, the numbers that it quotes, and the tables behind its figures.

`lesson` reads assets/lessons/, `facts` computes the numbers and the right answers from recorded runs and files, and
`tables` makes what a figure needs: `lens`, `orders`, `lengths` and `rows`. The page drives itself by them; see
assets/page/lesson.js. `handout` prints them, and `reading` has the cards.
"""
