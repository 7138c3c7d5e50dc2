include "cells/eu.hcl" {} # ERROR GS022: File cannot be read
region "eu" {}
