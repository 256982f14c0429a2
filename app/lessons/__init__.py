"""Lessons: what a lesson file may say, the numbers that it quotes, and the tables behind its figures.

`lesson` reads assets/lessons/, `facts` computes the numbers and the right answers from recorded runs and files, and
each of `beliefs`, `orders`, `lengths`, `rows` makes a table that a figure needs. The page drives itself by them; see
assets/page/lesson.js.
"""
