#!/bin/bash
# A file that belongs to no test: prepare steps and all tests depend on it.
echo "sharpening the sword"
